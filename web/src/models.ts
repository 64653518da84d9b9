/** Which models can be asked: the providers' own lists, the defaults, and those that were used last. */

import { brandOf } from "./brands";
import { findProvider, type ListedModel, mayRun, modelsOf, type Provider, service } from "./providers";
import { texts } from "./texts";

/** A model of a provider. An empty name is the provider's default. */
export interface Choice {
  readonly provider: string;
  readonly model: string;
}

/** Return the providers that can be asked: ready, or a server of the operator's that may be there. */
export const askable = (): Provider[] =>
  service.value.providers.filter((provider) => provider.ready || mayRun(provider));

/** Return the name of the model that a panel asks; empty if it has none. */
export const modelOf = (panel: Choice): string => panel.model || findProvider(panel.provider)?.default_model || "";

export interface Row extends Choice {
  readonly key: string;
  readonly title: string;
  readonly more: string;
  /** Whether the name was typed, and the provider's list does not have it. */
  readonly isTyped?: boolean;
}

export interface Group {
  readonly title: string;
  readonly more: string;
  readonly rows: readonly Row[];
}

/** Return the groups of the picker for what was typed. `current`: the choice that is in use. */
export function groupsFor(query: string, current: Choice): Group[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ provider, title }: Row): boolean => {
    const text = `${brandOf(provider)} ${provider} ${title}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const byProvider = askable().map((provider) => ({ provider, rows: rowsFor(provider) }));
  const all = byProvider.flatMap(({ rows }) => rows);
  const recent = recentChoices().flatMap((choice) => all.filter((row) => isSame(row, choice)));
  const here = byProvider.filter(({ provider }) => provider.local);
  const own = byProvider.filter(({ provider }) => !provider.local && !provider.needs_key);
  const away = byProvider.filter(({ provider }) => !provider.local && provider.needs_key);
  const groups: Group[] = [
    {
      title: texts.picker.recent,
      more: "",
      rows: recent.slice(0, 5).map((row) => ({ ...row, key: `recent ${row.key}` })),
    },
    { title: texts.picker.here, more: texts.picker.hereMore, rows: here.flatMap(({ rows }) => rows) },
    { title: texts.picker.own, more: "", rows: own.flatMap(({ rows }) => rows) },
    ...away.map(({ provider, rows }) => ({
      title: brandOf(provider.name),
      more: moreAbout(provider, rows.length),
      rows,
    })),
  ];
  const found = groups.map((group) => ({ ...group, rows: group.rows.filter(fits) }));
  const typed = typedRows(query.trim(), all, current);
  return [...found, { title: texts.picker.typed, more: texts.picker.notInList, rows: typed }].filter(
    ({ rows }) => rows.length > 0,
  );
}

function moreAbout({ name }: Provider, count: number): string {
  const { loading, failed, models } = modelsOf(name);
  if (loading) return texts.picker.loading;
  if (failed) return texts.picker.failed(brandOf(name));
  return models.length === 0 ? "" : texts.picker.models(count);
}

function rowsFor({ name, default_model: own, local }: Provider): Row[] {
  const { models } = modelsOf(name);
  const ids = own && !models.some(({ id }) => id === own) ? [{ id: own }, ...models] : models;
  const rows = ids.filter(({ id }) => isAllowed(id)).map((model) => rowFor(name, model, local));
  return rows.length > 0 || models.length > 0 ? rows : [nameless(name)];
}

const nameless = (provider: string): Row => ({
  key: `${provider}/`,
  provider,
  model: "",
  title: texts.picker.name(brandOf(provider)),
  more: "",
});

const isAllowed = (id: string): boolean => service.value.models === null || service.value.models.includes(id);

function rowFor(provider: string, model: ListedModel, local: boolean): Row {
  const { id, context_tokens: context, input_price: input, output_price: output } = model;
  const price = local
    ? texts.receipt.free
    : input != null && output != null
      ? `${priceIn(input)} / ${priceIn(output)}`
      : "";
  const more = [brandOf(provider), price, context ? shortCount(context) : ""].filter(Boolean).join(" · ");
  return { key: `${provider}/${id}`, provider, model: id, title: id, more };
}

/** Return how many tokens the model of a panel takes; undefined if its provider does not list that. */
export const contextOf = (panel: Choice): number | undefined =>
  modelsOf(panel.provider).models.find(({ id }) => id === modelOf(panel))?.context_tokens;

/** Return what the list of its provider says about the model of a panel, in words; empty if that is not known. */
export function factsOf(panel: Choice): { context: string; price: string } {
  const model = modelsOf(panel.provider).models.find(({ id }) => id === modelOf(panel));
  const { context_tokens: context, input_price: input, output_price: output } = model ?? {};
  const isFree = findProvider(panel.provider)?.local || (input === 0 && output === 0);
  return {
    context: context ? texts.start.contextTokens(context.toLocaleString("en")) : "",
    price: isFree ? texts.receipt.free : input && output ? texts.start.priceBoth(priceIn(input), priceIn(output)) : "",
  };
}

const priceIn = (dollars: number): string => `$${dollars.toFixed(dollars > 0 && dollars < 0.01 ? 4 : 2)}`;

const shortCount = (count: number): string =>
  count >= 1e6
    ? `${Number((count / 1e6).toFixed(1))}M`
    : count >= 1000
      ? `${Math.round(count / 1000)}k`
      : String(count);

const isSame = (one: Choice, other: Choice): boolean => one.provider === other.provider && one.model === other.model;

/** Whether the row is the choice that is in use; a panel without a model uses the provider's default. */
export const isCurrent = (row: Choice, current: Choice): boolean =>
  row.provider === current.provider && row.model === modelOf(current);

/** A name that no list has can be asked for at each provider; the one in use comes first. */
function typedRows(name: string, all: readonly Row[], current: Choice): Row[] {
  if (name === "" || /\s/.test(name) || all.some(({ model }) => model === name) || !isAllowed(name)) return [];
  const providers = askable().map((provider) => provider.name);
  const ordered = [current.provider, ...providers.filter((provider) => provider !== current.provider)];
  return ordered
    .filter((provider) => providers.includes(provider) && provider !== "local")
    .map((provider) => ({
      key: `typed ${provider}`,
      provider,
      model: name,
      title: texts.picker.use(name, brandOf(provider)),
      more: texts.picker.notInList,
      isTyped: true,
    }));
}

// --- what was used last ---

const RECENT_KEY = "msgmodel.recent";
const MOST_RECENT = 8;

function recentChoices(): Choice[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? "[]");
    return Array.isArray(found)
      ? found.filter((it) => typeof it?.provider === "string" && typeof it?.model === "string")
      : [];
  } catch {
    return []; // without storage there are none
  }
}

/** Remember that a model was chosen. */
export function noteChoice({ provider, model }: Choice): void {
  const kept = [{ provider, model }, ...recentChoices().filter((other) => !isSame(other, { provider, model }))];
  try {
    localStorage.setItem(RECENT_KEY, JSON.stringify(kept.slice(0, MOST_RECENT)));
  } catch {
    // without storage, nothing is remembered
  }
}
