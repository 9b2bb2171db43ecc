interface Env {
  /** Secret. When it is set, every POST must carry it as its bearer token. */
  API_TOKEN?: string;
  /** Set by local/wrangler-dev.mjs: this runs on somebody's machine. */
  LOCAL?: string;
}
