import type { TestProject } from "vitest/node";
import { startTestDynamodb } from "./dynamodb.js";

declare module "vitest" {
  export interface ProvidedContext {
    dynamodbEndpoint: string;
  }
}

/** A DynamoDB outside of the tests' process, for tests that replace the timers of theirs. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dynamodb = await startTestDynamodb();
  project.provide("dynamodbEndpoint", dynamodb.endpoint);
  return () => dynamodb.stop();
}
