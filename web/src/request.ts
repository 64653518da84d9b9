/** Makes the body of `POST /v1/panels` from a conversation: each panel with its own history. */

import type { Message, PanelRequest } from "msgmodel-client";
import { toBase64 } from "./base64";
import { getFile } from "./database";
import {
  type Attachment,
  type Conversation,
  type Panel,
  questionsOf,
  type Reply,
  type Settings,
  type Stream,
  settingsFor,
  type Turn,
} from "./model";
import { pathTo, shownReply } from "./tree";

export const CONTINUE_PROMPT =
  "You were cut off. Go on exactly where you stopped, without repeating what you have already said.";
export const RESUME_PROMPT =
  "The connection broke while you were answering. Go on exactly where your text stops, without repeating it.";

async function readFiles(files: readonly Attachment[]): Promise<{ name: string; data: string }[]> {
  return Promise.all(
    files.map(async ({ id, name }) => {
      const bytes = await getFile(id);
      if (bytes === undefined) throw new Error(`The file ${name} is no longer in this browser's storage.`);
      return { name, data: await toBase64(bytes) };
    }),
  );
}

/** Return the assistant's turn for the history. The server leaves out calls without a result, as it is `partial`. */
function assistantTurn(reply: Reply): Message | null {
  if (reply.end !== null) {
    const message = reply.end.message;
    return reply.toolCalls.length > 0 ? { ...message, partial: true } : message;
  }
  return reply.content === "" ? null : { role: "assistant", content: reply.content, partial: true };
}

function answerOf(turn: Turn): Message | null {
  const reply = shownReply(turn);
  return reply === undefined ? null : assistantTurn(reply);
}

/** Return the results that a turn brings: what the user has decided about the calls before it. */
function decisionsOf(turn: Turn): Message[] {
  const results = (turn.decisions ?? []).map(({ callId, approve }) => ({
    type: "tool_result" as const,
    tool_call_id: callId,
    content: { approve },
  }));
  return results.length > 0 ? [{ role: "tool", content: results }] : [];
}

async function history(panel: Panel, before: Turn): Promise<Message[]> {
  const messages: Message[] = [];
  for (const turn of pathTo(panel.turns, before.id) ?? panel.turns) {
    messages.push(...decisionsOf(turn));
    if (turn.kind === "decide") {
      const answer = answerOf(turn);
      if (answer) messages.push(answer);
      continue;
    }
    const parts = (await readFiles(turn.files)).map((file) => ({ type: "file" as const, ...file }));
    if (parts.length > 0) messages.push({ role: "user", content: [...parts, { type: "text", text: turn.text }] });
    else messages.push({ role: "user", content: turn.text });
    const answer = answerOf(turn);
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
    ...(settings.maxCost && { max_cost: settings.maxCost }),
  };
}

/** Return the request for a stream. All its panels answer the same prompt; each sends its own history. */
export async function requestBody(conversation: Conversation, stream: Stream): Promise<PanelRequest> {
  const questions = questionsOf(conversation, stream);
  const turn = questions[0]?.turn;
  if (turn === undefined) throw new Error("The question is no longer in the conversation.");
  // What differs goes into the panel: a value that is set for all can't be taken back there. So does the budget, which
  // holds for each reply; in the common options it would be one for all of them.
  const differ = questions.some(
    ({ panel }) => Object.keys(panel.settings ?? {}).length > 0 || settingsFor(conversation, panel).maxCost,
  );
  const panels = await Promise.all(
    questions.map(async ({ panel, turn: own, reply }) => ({
      panel_id: panel.id,
      provider: reply.provider,
      ...(reply.model.trim() && { model: reply.model.trim() }),
      messages: [...(await history(panel, own)), ...decisionsOf(own)],
      ...(differ && options(settingsFor(conversation, panel))),
    })),
  );
  const files = await readFiles(turn.files);
  return {
    prompt: turn.text,
    panels,
    options: { ...(differ ? {} : options(conversation.settings)), progress: true },
    ...(files.length > 0 && { files }),
  };
}
