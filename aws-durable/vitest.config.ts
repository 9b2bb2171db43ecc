import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/global-setup.ts",
    // Only stops a test that hangs: one that walks through hundreds of interleavings takes its time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The steps log that they begin.
    silent: "passed-only",
  },
});
