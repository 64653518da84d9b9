// What `useChat` of one version of the package `ai` makes of each scenario: `node ai_sdk.mjs ai7 <url> <scenario>...`.
const [version, url, ...names] = process.argv.slice(2);
const { AbstractChat, DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } = await import(version);

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) => (this.messages = this.messages.with(index, message));
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor(options) {
    super({ ...options, state: new State() });
  }
}

async function see(name) {
  const seen = { onFinish: [], onError: [], onData: [], onToolCall: [] };
  let number = 0;
  const chat = new Chat({
    id: "chat-1",
    generateId: () => `made-${++number}`,
    transport: new DefaultChatTransport({ api: `${url}/${name}` }),
    onFinish: ({ message, finishReason, isError, isAbort, isDisconnect }) =>
      seen.onFinish.push({ finishReason, isError, isAbort, isDisconnect, id: message.id }),
    onError: (error) => seen.onError.push(error.message),
    onData: ({ type, data }) => type === "data-retry" && seen.onData.push(data),
    onToolCall: ({ toolCall }) => {
      seen.onToolCall.push([toolCall.toolCallId, toolCall.toolName, toolCall.input]);
      if (name.startsWith("loop"))
        chat.addToolResult({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: { degrees: 21 } });
    },
    ...(name.startsWith("loop") && { sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls }),
  });
  await chat.sendMessage({ text: "Hi" });
  if (name === "media" && chat.addToolApprovalResponse) {
    await chat.addToolApprovalResponse({ id: "a", approved: false, reason: "no" });
    await chat.sendMessage();
  }
  if (name === "again") await chat.sendMessage({ text: "And?" });
  while (chat.status === "submitted" || chat.status === "streaming")
    await new Promise((resolve) => setTimeout(resolve, 5));
  const replies = chat.messages.filter((message) => message.role === "assistant");
  return { status: chat.status, ...seen, messages: replies };
}

const found = {};
for (const name of names) found[name] = await see(name);
console.log(JSON.stringify(found));
