/** Marks what stands in one of several answers alone. It changes no element: the marks are ranges in the text. */

const STOP_WORDS = new Set(
  "a an the and or but of to in on at by for from with as is are was were be been it its this that these those not no than then so if you your we our they their i he she his her can will would may must have has had do does did".split(
    " ",
  ),
);
const SHORTEST_RUN = 3; // words
const NAME = "only";

export interface Word {
  /** In lower case, without punctuation. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Return the words of a text with their places. */
export function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[\p{L}\p{N}](?:[\p{L}\p{N}.,'’%-]*[\p{L}\p{N}%])?/gu)].map(({ 0: found, index }) => ({
    text: found.toLowerCase(),
    start: index,
    end: index + found.length,
  }));
}

/** Return the places in each text that no other text has: runs of three words and more, and numbers. Pure. */
export function differencesOf(answers: readonly string[]): [number, number][][] {
  const words = answers.map(wordsOf);
  const sets = words.map((list) => new Set(list.map(({ text }) => text)));
  return words.map((list, place) => {
    const others = sets.filter((_, other) => other !== place);
    return others.length === 0 ? [] : runsOf(list, (word) => others.every((set) => !set.has(word)));
  });
}

function runsOf(words: readonly Word[], isOwn: (word: string) => boolean): [number, number][] {
  const runs: [number, number][] = [];
  let run: Word[] = [];
  const close = (): void => {
    const last = run.findLastIndex(({ text }) => !STOP_WORDS.has(text));
    const kept = run.slice(0, last + 1);
    const [first, end] = [kept[0], kept.at(-1)];
    if (first && end && kept.length >= SHORTEST_RUN) runs.push([first.start, end.end]);
    else for (const { text, start, end } of kept) if (/\p{N}/u.test(text) && isOwn(text)) runs.push([start, end]);
    run = [];
  };
  for (const word of words) {
    const isStop = STOP_WORDS.has(word.text);
    if (!isStop && isOwn(word.text)) run.push(word);
    else if (isStop && run.length > 0) run.push(word);
    else close();
  }
  close();
  return runs;
}

/** Mark the differences between the answers in each row of a board; return what takes the marks away. */
export function markDifferences(board: HTMLElement): () => void {
  const registry = globalThis.CSS?.highlights;
  if (registry === undefined) return () => {}; // an old browser: nothing is marked, and nothing is missing
  const ranges = [...board.querySelectorAll<HTMLElement>(".answers")].flatMap(rangesIn);
  registry.set(NAME, new Highlight(...ranges));
  return () => registry.delete(NAME);
}

function rangesIn(row: HTMLElement): Range[] {
  const columns = [...row.querySelectorAll<HTMLElement>(".column")]
    .map(textNodesIn)
    .filter((nodes) => nodes.length > 0);
  const found = differencesOf(columns.map((nodes) => nodes.map(({ data }) => data).join("\n")));
  return found.flatMap((places, column) => places.flatMap((place) => rangesOf(columns[column] ?? [], place)));
}

function textNodesIn(column: HTMLElement): Text[] {
  const nodes: Text[] = [];
  for (const prose of column.querySelectorAll(".prose")) {
    const walker = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) nodes.push(walker.currentNode as Text);
  }
  return nodes;
}

/** Return a range for each text node that the place reaches into. */
function rangesOf(nodes: readonly Text[], [start, end]: [number, number]): Range[] {
  const ranges: Range[] = [];
  let before = 0;
  for (const node of nodes) {
    const [from, to] = [Math.max(0, start - before), Math.min(node.length, end - before)];
    if (from < to) {
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, to);
      ranges.push(range);
    }
    before += node.length + 1;
  }
  return ranges;
}
