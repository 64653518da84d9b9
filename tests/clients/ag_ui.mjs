// What AG-UI's HttpAgent makes of each scenario: `node ag_ui.mjs <url> <scenario>...`.
import { HttpAgent } from "@ag-ui/client";

const [url, ...names] = process.argv.slice(2);

async function see(name) {
  const seen = { custom: [], errors: [], finished: [], subagents: [], rejected: null, warnings: [] };
  const warn = console.warn;
  console.warn = (...words) => seen.warnings.push(words.join(" "));
  const question = { id: "q", role: "user", content: "Hi" };
  const agent = new HttpAgent({ url: `${url}/${name}`, threadId: "t", initialMessages: [question] });
  const subscriber = {
    onCustomEvent: ({ event }) => void seen.custom.push([event.name, event.value]),
    onRunErrorEvent: ({ event }) => void seen.errors.push([event.message, event.code]),
    onRunFinishedEvent: ({ event }) => void seen.finished.push([event.outcome, event.usage]),
    onSubagentFinishedEvent: ({ event }) => void seen.subagents.push([event.subagentRunId, event.result.status]),
    onSubagentErrorEvent: ({ event }) => void seen.subagents.push([event.subagentRunId, event.code]),
  };
  try {
    const { result } = await agent.runAgent({ runId: "r" }, subscriber);
    seen.result = result ?? null;
  } catch (error) {
    seen.rejected = String(error);
  }
  if (name === "again") await agent.runAgent({ runId: "r2" }, subscriber);
  console.warn = warn;
  return { ...seen, messages: agent.messages.slice(1) };
}

const found = {};
for (const name of names) found[name] = await see(name);
console.log(JSON.stringify(found));
