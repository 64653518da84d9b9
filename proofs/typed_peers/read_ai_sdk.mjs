// The AI SDK: `node read_ai_sdk.mjs`, copied to where its packages are. Its job and its answer are those of run.py.
import { readFileSync } from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, jsonSchema, Output, streamObject, streamText } from "ai";

const { url, model, prompts, schemas } = JSON.parse(readFileSync(0, "utf8"));
const asked = createOpenAI({ baseURL: `${url}/v1`, apiKey: "no-key" }).chat(model);
const schemaOf = (prompt) => jsonSchema(schemas[prompt.split("-")[0]]);
const options = (prompt) => ({ model: asked, prompt, maxRetries: 0, onError: () => {} });
const typed = (prompt) => ({ ...options(prompt), output: Output.object({ schema: schemaOf(prompt) }) });

async function readAll(stream) {
  for await (const _ of stream);
}

const ways = {
  "generateText, Output.object": async (prompt) => (await generateText(typed(prompt))).output,
  "streamText, Output.object": async (prompt) => {
    const result = streamText(typed(prompt));
    await readAll(result.partialOutputStream);
    return await result.output;
  },
  generateObject: async (prompt) => (await generateObject({ ...options(prompt), schema: schemaOf(prompt) })).object,
  streamObject: async (prompt) => {
    const result = streamObject({ ...options(prompt), schema: schemaOf(prompt) });
    await readAll(result.partialObjectStream);
    return await result.object;
  },
};

const answers = {};
for (const [way, ask] of Object.entries(ways)) {
  answers[way] = [];
  for (const prompt of prompts) {
    const answer = ask(prompt).then((value) => ({ value: value ?? null }));
    answers[way].push(await answer.catch((error) => ({ error: `${error.name}: ${error.message}`.slice(0, 140) })));
  }
}
const { version } = JSON.parse(readFileSync("node_modules/ai/package.json", "utf8"));
process.stdout.write(JSON.stringify({ version, answers }), () => process.exit(0));
