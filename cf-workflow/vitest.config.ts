import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.jsonc" } })],
  test: {
    // Only stops a test that hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The steps log that they begin.
    silent: "passed-only",
  },
});
