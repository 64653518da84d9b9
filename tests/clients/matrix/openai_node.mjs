// The `openai` package for Node.
import OpenAI from "openai";
import { ASK, CUT, FAIL, KEY, MODEL, PERSON, PERSON_SCHEMA, printRow, STALL, URL, WEATHER, WEATHER_TOOL, weather } from "./row.mjs";

const client = new OpenAI({ baseURL: URL, apiKey: KEY });
const user = (content) => [{ role: "user", content }];
const ask = (content, more = {}) => client.chat.completions.create({ model: MODEL, messages: user(content), ...more });

await printRow({
  text: async () => (await ask(ASK)).choices[0].message.content,
  stream: async () => {
    let text = "";
    for await (const chunk of await ask(ASK, { stream: true })) text += chunk.choices[0]?.delta.content ?? "";
    return text;
  },
  tools: async () => {
    const messages = user(WEATHER);
    const tool = { ...WEATHER_TOOL.function, function: weather, parse: JSON.parse };
    const runner = client.chat.completions.runTools({ model: MODEL, messages, stream: true, tools: [{ type: "function", function: tool }] });
    return runner.finalContent();
  },
  structured: async () => {
    const response_format = { type: "json_schema", json_schema: { name: "person", strict: true, schema: PERSON_SCHEMA } };
    return JSON.parse((await ask(PERSON, { response_format })).choices[0].message.content);
  },
  models: async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return [...ids, (await client.models.retrieve(MODEL)).id];
  },
  cut: async () => (await ask(CUT)).choices[0].finish_reason,
  stop: async () => {
    const chunks = await ask(STALL, { stream: true });
    for await (const chunk of chunks) {
      const word = chunk.choices[0]?.delta.content;
      if (!word) continue;
      chunks.controller.abort();
      return word.trim();
    }
  },
  error: async () => ask(FAIL).then(() => "no error", (error) => error.constructor.name),
});
