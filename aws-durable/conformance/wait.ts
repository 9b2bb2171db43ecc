import type { Cases } from "./cases.js";

export const waits: Cases = {
  "2-1": (_, context) => context.wait({ seconds: 2 }),
  "2-2": (_, context) => context.wait("custom_wait_name", { seconds: 2 }),
  "2-3": async (_, context) => {
    await context.wait("wait-1", { seconds: 2 });
    await context.wait("wait-2", { seconds: 2 });
    return { completedWaits: 2 };
  },
  "2-4": (_, context) => context.wait({ minutes: 1 }),
  "2-5": (_, context) => context.wait({ hours: 1 }),
};
