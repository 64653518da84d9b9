/** The questions of all panels in one order, so that answers to the same question stand in one line. Pure. */

import type { Panel, Turn } from "./model";

/** One question, and what each panel has of it: the turn itself, and those that went on with it. */
export interface Row {
  readonly key: string;
  readonly question: Turn;
  /** In the order of the panels; empty for a panel that was not asked. */
  readonly cells: readonly (readonly Turn[])[];
}

/** What makes turns of several panels one question: the round, or, in what version 5.0 has saved, the words. */
const keyOf = (turn: Turn): string => turn.round ?? `${turn.text}\n${turn.files.map(({ id }) => id).join()}`;

/** Return a panel's turns in groups, each of which begins with a question. */
function groupsOf(panel: Panel): Turn[][] {
  const groups: Turn[][] = [];
  for (const turn of panel.turns) {
    if (turn.kind === "typed" || groups.length === 0) groups.push([turn]);
    else groups.at(-1)?.push(turn);
  }
  return groups;
}

/** Return the rows of a board: the order within each panel is kept. */
export function rowsOf(panels: readonly Panel[]): Row[] {
  const queues = panels.map(groupsOf);
  const rows: Row[] = [];
  for (;;) {
    const heads = queues.flatMap(([group]) => (group?.[0] ? [group[0]] : []));
    const first = heads.find((head) => !isLaterElsewhere(queues, keyOf(head))) ?? heads[0];
    if (first === undefined) return rows;
    const key = keyOf(first);
    const cells = queues.map((queue) => (queue[0]?.[0] && keyOf(queue[0][0]) === key ? (queue.shift() ?? []) : []));
    rows.push({ key: `${rows.length}:${key}`, question: first, cells });
  }
}

/** Whether a panel has this question, but another one before it. */
const isLaterElsewhere = (queues: readonly Turn[][][], key: string): boolean =>
  queues.some(
    (queue) =>
      queue.slice(1).some(([turn]) => turn && keyOf(turn) === key) && !(queue[0]?.[0] && keyOf(queue[0][0]) === key),
  );
