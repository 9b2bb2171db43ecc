import { join } from "node:path";
import { build } from "esbuild";

const [folder = "dist", what = "functions"] = process.argv.slice(2);

/** @type {import("esbuild").BuildOptions} */
const options = {
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

if (what === "conformance") {
  await build({ ...options, outdir: join(folder, what), entryPoints: ["conformance/handler.ts"] });
  process.exit();
}

// In a folder of their own, which is uploaded as it is.
await build({
  ...options,
  outdir: join(folder, "lambda"),
  entryPoints: { handler: "src/handler.ts", "seats-api": "src/seats-api.ts" },
});
// dynalite loads its parts by name at run time, and LevelDB is native.
await build({ ...options, outdir: folder, entryPoints: { host: "local/host.ts" }, external: ["dynalite"] });
await build({ ...options, outdir: folder, entryPoints: { sandbox: "local/sandbox-process.ts" } });
