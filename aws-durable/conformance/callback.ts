import { type Cases, value } from "./cases.js";

const seconds = (count: number) => ({ timeout: { seconds: count } });
const heartbeat = (count: number) => ({ heartbeatTimeout: { seconds: count } });

export const callbacks: Cases = {
  "4-1": async (name: string, context) => (await context.createCallback(name))[0],
  "4-2": async (_, context) => (await context.createCallback("approval"))[0],
  "4-3": async (name: string, context) => (await context.createCallback(name, seconds(5)))[0],
  "4-4": async (name: string, context) => (await context.createCallback(name, heartbeat(5)))[0],
  "4-5": async (name: string, context) => (await context.createCallback(name, heartbeat(10)))[0],
  "4-6": async (name: string, context) => (await context.createCallback(name))[0],
  "4-7": async (name: string, context) => {
    const [answer] = await context.createCallback(name);
    await context.step(value("done"));
    return answer;
  },
  "4-8": async (name: string, context) => {
    const [answer] = await context.createCallback(name, seconds(5));
    await context.step(value("done"));
    return answer;
  },
  "4-9": async (name: string, context) => {
    const [answer] = await context.createCallback(name);
    await context.wait({ seconds: 5 });
    return answer;
  },
  "4-10": async (name: string, context) => {
    const [answer] = await context.createCallback(name);
    await context.wait({ seconds: 5 });
    return answer;
  },
  "4-11": async (name: string, context) => {
    const [answer] = await context.createCallback(name, seconds(3));
    await context.wait({ seconds: 6 });
    return answer;
  },
  "4-12": async (name: string, context) => {
    const [answer] = await context.createCallback(name);
    const result = await answer;
    await context.wait({ seconds: 2 });
    return result;
  },
  "4-13": async (name: string, context) => {
    const [answer] = await context.createCallback(name);
    const result = await answer.catch((error: unknown) => `caught: ${String(error)}`);
    await context.wait({ seconds: 2 });
    return result;
  },
  "4-14": async (name: string, context) => {
    const [answer] = await context.createCallback(name, seconds(3));
    const result = await answer.catch((error: unknown) => `caught: ${String(error)}`);
    await context.wait({ seconds: 2 });
    return result;
  },
  "4-15": async (name: string, context) => {
    interface Message {
      id: string;
      message: string;
      timestamp: Date;
    }
    const deserialize = async (data: string | undefined): Promise<Message> => {
      const parsed = JSON.parse(data ?? "null") as Message;
      return { ...parsed, timestamp: new Date(parsed.timestamp) };
    };
    const [answer] = await context.createCallback(name, { serdes: { deserialize } });
    const { id, message, timestamp } = await answer;
    return { received: { id, message, timestamp: timestamp.getTime() / 1000 } };
  },
  "4-16": async (name: string, context) => {
    const [answer] = await context.createCallback(name, {
      serdes: { deserialize: async (data: string | undefined) => Number(data) },
    });
    const count = await answer;
    return { count, doubled: count * 2 };
  },
  "4-17": async ([nameA, nameB]: [string, string], context) => {
    const [answerA] = await context.createCallback(nameA);
    const a = await answerA;
    const [answerB] = await context.createCallback(nameB);
    return [a, await answerB];
  },
  "4-18": async ([nameA, nameB]: [string, string], context) => {
    const [answerA] = await context.createCallback(nameA);
    const [answerB] = await context.createCallback(nameB);
    const a = await answerA;
    return [a, await answerB];
  },
  "4-19": async ([nameA, nameB]: [string, string], context) => {
    const [answerA] = await context.createCallback(nameA);
    const [answerB] = await context.createCallback(nameB);
    const b = await answerB;
    return [await answerA, b];
  },
};
