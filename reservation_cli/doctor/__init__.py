"""What `resv doctor` looks at: tools, local stack, state, both clouds. Nothing is written, nothing is started."""
