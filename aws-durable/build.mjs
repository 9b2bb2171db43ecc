import { build } from "esbuild";

/** @type {import("esbuild").BuildOptions} */
const options = {
  outdir: process.argv[2] ?? "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node22",
  format: "esm",
  minify: true,
  // The AWS SDK's ES modules: smaller than its CommonJS ones, and they need no `require`.
  mainFields: ["module", "main"],
  logLevel: "info",
};

await build({ ...options, entryPoints: { handler: "src/handler.ts", "seats-api": "src/seats-api.ts" } });
// dynalite loads its parts by name at run time, and LevelDB is native.
await build({ ...options, entryPoints: { host: "local/host.ts" }, external: ["dynalite"] });
