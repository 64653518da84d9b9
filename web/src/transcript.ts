/** A conversation as Markdown, for people to read elsewhere. Pure. It has what is shown; versions are in the JSON. */

import type { Conversation, Panel, Reply, Turn } from "./model";
import { badgeWords } from "./reply";
import { shownReply } from "./tree";

/** Return the text of a file. */
export function asMarkdown(conversation: Conversation): string {
  const several = conversation.panels.length > 1;
  const parts = conversation.panels.flatMap((panel, place) => [
    ...(several ? [`# ${String.fromCharCode(65 + place)}: ${nameOf(panel)}`] : []),
    ...panel.turns.flatMap(linesOf),
  ]);
  const title = `# ${conversation.title || "Conversation"}`;
  const settings = conversation.settings.system.trim();
  const system = settings ? [`## System prompt`, settings] : [];
  return `${[title, ...system, ...parts].join("\n\n")}\n`;
}

const nameOf = ({ provider, model }: Pick<Panel, "provider" | "model">): string =>
  [provider, model].filter(Boolean).join(" ");

function linesOf(turn: Turn): string[] {
  const reply = shownReply(turn);
  const files = turn.files.map(({ name }) => `- attached: ${name}`).join("\n");
  const asked = turn.kind === "typed" ? ["## You", ...[files, turn.text].filter(Boolean)] : [];
  return reply ? [...asked, ...answerLines(reply)] : asked;
}

function answerLines(reply: Reply): string[] {
  const ending = badgeWords(reply).toLowerCase();
  const model = reply.end?.model || reply.model;
  const head = `## ${nameOf({ provider: reply.end?.provider ?? reply.provider, model })}${ending && ` (${ending})`}`;
  const sources = reply.sources
    .map(
      ({ url, title, text }, place) => `${place + 1}. ${[title || text, url && `<${url}>`].filter(Boolean).join(" ")}`,
    )
    .join("\n");
  return [head, ...[reply.content, reply.refusal, sources && `Sources:\n\n${sources}`].filter(Boolean)];
}
