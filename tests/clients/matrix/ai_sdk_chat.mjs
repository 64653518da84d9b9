// The AI SDK on chat completions: `node ai_sdk_chat.mjs <url> 6` or `7`.
import { ASK, CUT, FAIL, KEY, MODEL, PERSON, PERSON_SCHEMA, printRow, STALL, URL, WEATHER, weather, WEATHER_TOOL } from "./row.mjs";

const version = process.argv[3];
const ai = await import(`ai${version}`);
const { createOpenAICompatible } = await import(`compatible${version}`);
const server = createOpenAICompatible({ name: "msgmodel", baseURL: URL, apiKey: KEY, supportsStructuredOutputs: true });
const model = server(MODEL);

await printRow({
  text: async () => (await ai.generateText({ model, prompt: ASK })).text,
  stream: async () => {
    let text = "";
    for await (const piece of ai.streamText({ model, prompt: ASK }).textStream) text += piece;
    return text;
  },
  tools: async () => {
    const tool = ai.tool({
      description: "The weather of a city.",
      inputSchema: ai.jsonSchema(WEATHER_TOOL.function.parameters),
      execute: weather,
    });
    return await ai.streamText({ model, prompt: WEATHER, tools: { weather: tool }, stopWhen: ai.stepCountIs(3) }).text;
  },
  structured: async () => {
    const output = ai.Output.object({ schema: ai.jsonSchema(PERSON_SCHEMA) });
    const done = await ai.generateText({ model, prompt: PERSON, output, experimental_output: output });
    return done.output ?? done.experimental_output;
  },
  cut: async () => (await ai.generateText({ model, prompt: CUT })).finishReason,
  stop: async () => {
    const left = new AbortController();
    const result = ai.streamText({ model, prompt: STALL, abortSignal: left.signal });
    for await (const piece of result.textStream) {
      left.abort();
      return piece.trim();
    }
  },
  error: async () => ai.generateText({ model, prompt: FAIL }).then(() => "no error", (error) => error.name),
});
