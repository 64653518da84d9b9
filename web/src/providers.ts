/** The providers and limits that the server reports. */

import { signal } from "@preact/signals";
import { brandOf } from "./brands";
import { texts } from "./texts";
import { authorizedFetch } from "./token";

export interface Provider {
  name: string;
  default_model: string | null;
  wire: string;
  ready: boolean;
  needs_key: boolean;
  local: boolean;
}

export interface Limits {
  max_panels?: number | null;
  max_prompt_chars?: number | null;
  max_body_bytes?: number | null;
  max_tokens?: number | null;
}

/** What is taken as a file: the most bytes of a text, and of each other media type. */
export interface FileLimits {
  text: number;
  types: Readonly<Record<string, number>>;
}

export interface Service {
  providers: Provider[];
  /** By the wire of a provider. */
  files?: Readonly<Record<string, FileLimits>>;
  default: string | null;
  limits: Limits;
  /** Null: every model is allowed. */
  models: string[] | null;
}

export const service = signal<Service>({ providers: [], default: null, limits: {}, models: null });
/** Whether the server has reported them; before that, nothing can be sent. */
export const providersLoaded = signal(false);
/** Why the server could not be asked; null if it could. */
export const unreachable = signal<string | null>(null);

export async function loadProviders(): Promise<void> {
  try {
    const response = await authorizedFetch("v1/providers");
    if (!response.ok)
      throw new Error(
        response.status === 401 ? "The server asks for a token." : `The server answered ${response.status}.`,
      );
    service.value = { ...service.value, ...((await response.json()) as Partial<Service>) };
    providersLoaded.value = true;
    unreachable.value = null;
  } catch (error) {
    unreachable.value = error instanceof TypeError ? "The server can't be reached." : String((error as Error).message);
  }
}

export const findProvider = (name: string): Provider | undefined =>
  service.value.providers.find((provider) => provider.name === name);

/** Return whether a provider is a server that the operator may run: it needs no key, but nothing says it is there. */
export const mayRun = (provider: Provider): boolean => !provider.ready && !provider.needs_key && !provider.local;

/** Return the provider and the model of a new panel; an empty model is the provider's default.
 *
 * The server's default if it is ready, else the local model, else one that is ready, else a server that may run.
 */
export function preferredChoice(): [provider: string, model: string] {
  const { providers, default: preferred } = service.value;
  const ready = providers.filter((provider) => provider.ready);
  const best =
    ready.find((provider) => provider.name === preferred) ??
    ready.find((provider) => provider.local) ?? // certain to answer; another may be ready only because it needs no key
    ready[0] ??
    providers.find((provider) => mayRun(provider) && provider.name === preferred) ??
    providers.find((provider) => provider.name === "local") ??
    providers.find((provider) => provider.name === preferred) ??
    providers[0];
  const name = best?.name ?? preferred ?? "local";
  return [name, best?.default_model ? "" : (modelsOf(name).models[0]?.id ?? "")];
}

/** A model as its provider lists it; what the list does not say is left out. */
export interface ListedModel {
  readonly id: string;
  /** For people. */
  readonly name?: string;
  readonly context_tokens?: number;
  readonly max_output_tokens?: number;
  /** US dollars for a million tokens. */
  readonly input_price?: number;
  readonly output_price?: number;
}

/** The models of a provider, as far as they are known. */
export interface ModelList {
  readonly models: readonly ListedModel[];
  /** Whether they could not be listed. */
  readonly failed: boolean;
  readonly loading: boolean;
}

const modelLists = signal<ReadonlyMap<string, ModelList>>(new Map());
const NO_MODELS: ModelList = { models: [], failed: false, loading: false };

/** Return the models that a provider has, once `loadModels` has asked for them. */
export const modelsOf = (name: string): ModelList => modelLists.value.get(name) ?? NO_MODELS;

/** Ask the server which models a provider has; again only if they could not be listed before. */
export async function loadModels(name: string): Promise<void> {
  const known = modelsOf(name);
  if (known.loading || known.models.length > 0) return;
  const keep = (list: Partial<ModelList>): void => {
    modelLists.value = new Map([...modelLists.value, [name, { ...NO_MODELS, ...list }]]);
  };
  keep({ loading: true });
  try {
    const response = await authorizedFetch(`v1/providers/${encodeURIComponent(name)}/models`);
    const { models } = (await response.json()) as { models?: unknown };
    keep(response.ok && Array.isArray(models) ? { models: models as ListedModel[] } : { failed: true });
  } catch {
    keep({ failed: true });
  }
}

/** Return why a provider can't be asked; null if it can. */
export function whyUnavailable(name: string): string | null {
  const provider = findProvider(name);
  if (provider === undefined) return service.value.providers.length ? texts.composer.noProvider(brandOf(name)) : null;
  if (provider.ready || mayRun(provider)) return null;
  return provider.local ? texts.composer.notInstalled : texts.composer.noKey(brandOf(name));
}
