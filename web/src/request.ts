/** A conversation to the body of `POST /v1/panels`: each panel with its own history. */

import type { Message, PanelRequest } from "msgmodel-client";
import { toBase64 } from "./base64";
import { getFile } from "./database";
import { type Attachment, type Conversation, type Panel, type Reply, type Settings, type Turn, lastReply } from "./model";

export const GO_ON = "You were cut off. Go on exactly where you stopped, without repeating what you have already said.";
export const GO_ON_AFTER_BREAK =
  "The connection broke while you were answering. Go on exactly where your text stops, without repeating it.";

/** A panel that is asked, and the turn in it that is to be answered. */
export interface Asked {
  panel: Panel;
  turn: Turn;
  reply: Reply;
}

async function attached(files: Attachment[]): Promise<{ name: string; data: string }[]> {
  return Promise.all(
    files.map(async ({ id, name }) => {
      const bytes = await getFile(id);
      if (bytes === undefined) throw new Error(`The file ${name} is no longer in this browser's storage.`);
      return { name, data: await toBase64(bytes) };
    }),
  );
}

/** The assistant's turn as it goes back. Calls that nobody answers are left out by the server, being `partial`. */
function spoken(reply: Reply): Message | null {
  if (reply.end !== null) {
    const message = reply.end.message;
    return reply.toolCalls.length > 0 ? { ...message, partial: true } : message;
  }
  return reply.content === "" ? null : { role: "assistant", content: reply.content, partial: true };
}

async function history(panel: Panel, before: Turn): Promise<Message[]> {
  const messages: Message[] = [];
  for (const turn of panel.turns.slice(0, panel.turns.indexOf(before))) {
    const parts = (await attached(turn.files)).map((file) => ({ type: "file" as const, ...file }));
    if (parts.length > 0) messages.push({ role: "user", content: [...parts, { type: "text", text: turn.text }] });
    else messages.push({ role: "user", content: turn.text });
    const reply = lastReply(turn);
    const answer = reply && spoken(reply);
    if (answer) messages.push(answer);
  }
  return messages;
}

function options(settings: Settings): NonNullable<PanelRequest["options"]> {
  return {
    ...(settings.system.trim() && { system_instruction: settings.system.trim() }),
    ...(settings.maxTokens !== null && { max_tokens: settings.maxTokens }),
    ...(settings.temperature !== null && { temperature: settings.temperature }),
    ...(settings.reasoning && { reasoning: settings.reasoning }),
  };
}

/** All of `asked` answer the same words; what came before is each panel's own. */
export async function requestBody(conversation: Conversation, asked: Asked[]): Promise<PanelRequest> {
  const turn = asked[0]?.turn;
  if (turn === undefined) throw new Error("nobody is asked");
  const panels = await Promise.all(
    asked.map(async ({ panel, turn: own }) => ({
      panel_id: panel.id,
      provider: panel.provider,
      ...(panel.model.trim() && { model: panel.model.trim() }),
      messages: await history(panel, own),
    })),
  );
  const files = await attached(turn.files);
  return { prompt: turn.text, panels, options: options(conversation.settings), ...(files.length > 0 && { files }) };
}
