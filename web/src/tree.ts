/** A conversation as a tree: versions of a question, versions of an answer, and what followed each. Pure.
 *
 * Rule: `panel.turns` is the branch that is shown, so that whatever only reads what is shown needs to know nothing of
 * this file. Every other branch hangs on the turn at which it left the shown one.
 */

import type { Attachment, Branch, Conversation, Panel, Reply, Turn } from "./model";

/** Return the reply of a turn that is shown, and that the history sends. */
export const shownReply = (turn: Turn): Reply | undefined =>
  turn.replies.find(({ id }) => id === turn.shown) ?? turn.replies.at(-1);

/** Return how many versions of a question there are, and which one is shown, from 0. */
export const versionsOf = (turn: Turn): { count: number; place: number } => ({
  count: (turn.versions?.length ?? 0) + 1,
  place: turn.place ?? 0,
});

/** Yield the turns of a branch and of all branches that leave it. */
export function* everyTurn(branch: Branch): Generator<Turn> {
  for (const turn of branch) {
    yield turn;
    for (const other of [...(turn.versions ?? []), ...Object.values(turn.after ?? {})]) yield* everyTurn(other);
  }
}

/** Return all files of a conversation, also those of versions that are not shown. */
export const attachmentsOf = ({ panels }: Conversation): Attachment[] =>
  panels.flatMap(({ turns }) => [...everyTurn(turns)].flatMap(({ files }) => files));

/** Return a branch with each of its turns changed, and of all branches that leave it. What is the same stays the same. */
export function mapTurns(branch: Branch, change: (turn: Turn) => Turn): Branch {
  const mapped = branch.map((turn) => change(mapBranches(turn, change)));
  return mapped.every((turn, place) => turn === branch[place]) ? branch : mapped;
}

function mapBranches(turn: Turn, change: (turn: Turn) => Turn): Turn {
  const versions = turn.versions?.map((branch) => mapTurns(branch, change));
  const after = Object.entries(turn.after ?? {}).map(([id, branch]) => [id, mapTurns(branch, change)] as const);
  const same =
    (versions ?? []).every((branch, place) => branch === turn.versions?.[place]) &&
    after.every(([id, branch]) => branch === turn.after?.[id]);
  if (same) return turn;
  return { ...turn, ...(versions && { versions }), ...(turn.after && { after: Object.fromEntries(after) }) };
}

/** Return the turns before a turn, wherever in the tree it is, each showing the reply on the way; null if it is not. */
export function pathTo(branch: Branch, turnId: string): Turn[] | null {
  for (const [place, turn] of branch.entries()) {
    const before = branch.slice(0, place);
    if (turn.id === turnId) return before;
    for (const version of turn.versions ?? []) {
      const found = pathTo(version, turnId);
      if (found) return [...before, ...found];
    }
    for (const [replyId, followers] of Object.entries(turn.after ?? {})) {
      const found = pathTo(followers, turnId);
      if (found) return [...before, { ...turn, shown: replyId }, ...found];
    }
  }
  return null;
}

/** Return the panel with this reply added to its turn, or to a new turn. What followed the reply before is kept. */
export function addReply(panel: Panel, turn: Turn, reply: Reply): Panel {
  const place = panel.turns.findIndex(({ id }) => id === turn.id);
  if (place < 0) return { ...panel, turns: [...panel.turns, { ...turn, replies: [...turn.replies, reply] }] };
  const kept = keepFollowers(panel, place);
  const { shown: _, ...rest } = kept;
  return { ...panel, turns: [...panel.turns.slice(0, place), { ...rest, replies: [...kept.replies, reply] }] };
}

/** Return the panel showing another reply of a turn, with what followed that one. */
export function showReply(panel: Panel, turnId: string, replyId: string): Panel {
  const place = panel.turns.findIndex(({ id }) => id === turnId);
  const turn = panel.turns[place];
  if (turn === undefined || shownReply(turn)?.id === replyId || !turn.replies.some(({ id }) => id === replyId)) {
    return panel;
  }
  const { [replyId]: followers = [], ...after } = keepFollowers(panel, place).after ?? {};
  return { ...panel, turns: [...panel.turns.slice(0, place), { ...turn, shown: replyId, after }, ...followers] };
}

/** Return the turn at this place, holding what follows its shown reply. */
function keepFollowers(panel: Panel, place: number): Turn {
  const turn = panel.turns[place] as Turn;
  const followers = panel.turns.slice(place + 1);
  const shown = shownReply(turn);
  if (followers.length === 0 || shown === undefined) return turn;
  return { ...turn, after: { ...turn.after, [shown.id]: followers } };
}

/** Return the panel with a new version of a question in place of the shown one, which is kept with all that followed. */
export function addVersion(panel: Panel, turnId: string, version: Turn): Panel {
  const found = branchesAt(panel, turnId);
  if (found === null) return panel;
  const { before, branches } = found;
  return { ...panel, turns: [...before, { ...version, versions: branches, place: branches.length }] };
}

/** Return the panel showing another version of a question, with what followed that one. */
export function showVersion(panel: Panel, turnId: string, place: number): Panel {
  const found = branchesAt(panel, turnId);
  const [head, ...followers] = found?.branches[place] ?? [];
  if (found === null || head === undefined || head.id === turnId) return panel;
  const versions = found.branches.filter((_, other) => other !== place);
  return { ...panel, turns: [...found.before, { ...head, versions, place }, ...followers] };
}

/** Return the turns before a turn, and all versions that there are from there on, the shown one among them. */
function branchesAt(panel: Panel, turnId: string): { before: Branch; branches: Branch[] } | null {
  const place = panel.turns.findIndex(({ id }) => id === turnId);
  const turn = panel.turns[place];
  if (turn === undefined) return null;
  const { versions = [], place: own = 0, ...head } = turn;
  const branches = [...versions.slice(0, own), [head, ...panel.turns.slice(place + 1)], ...versions.slice(own)];
  return { before: panel.turns.slice(0, place), branches };
}

/** Return the version of a question that was asked in this round; null if there is none. */
export function versionInRound(turn: Turn, round: string | undefined): number | null {
  if (round === undefined) return null;
  const place = turn.versions?.findIndex(([head]) => head?.round === round) ?? -1;
  if (place < 0) return null;
  return place < (turn.place ?? 0) ? place : place + 1;
}

/** Return the round in which the version at this place was asked. */
export function roundAt(turn: Turn, place: number): string | undefined {
  const own = turn.place ?? 0;
  if (place === own) return turn.round;
  return turn.versions?.[place < own ? place : place - 1]?.[0]?.round;
}
