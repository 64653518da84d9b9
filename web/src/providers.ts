/** The providers and limits that the server reports. */

import { signal } from "@preact/signals";
import { authorizedFetch } from "./token";

export interface Provider {
  name: string;
  default_model: string | null;
  wire: string;
  ready: boolean;
  local: boolean;
}

export interface Limits {
  max_panels?: number | null;
  max_prompt_chars?: number | null;
  max_body_bytes?: number | null;
  max_tokens?: number | null;
}

export interface Service {
  providers: Provider[];
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

/** Return the provider of a new panel: the server's default if it is ready, else the local model, else a ready one. */
export function preferredProvider(): string {
  const { providers, default: preferred } = service.value;
  const ready = providers.filter((provider) => provider.ready);
  const best =
    ready.find((provider) => provider.name === preferred) ??
    ready.find((provider) => provider.local) ?? // certain to answer; another may be ready only because it needs no key
    ready[0] ??
    providers.find((provider) => provider.name === "local") ??
    providers.find((provider) => provider.name === preferred);
  return best?.name ?? preferred ?? "local";
}

/** Return why a provider can't be asked; null if it can. */
export function whyUnavailable(name: string): string | null {
  const provider = findProvider(name);
  if (provider === undefined) return service.value.providers.length ? `The server does not offer ${name}.` : null;
  if (provider.ready) return null;
  return provider.local
    ? "The embedded model is not installed on the server (msgmodel local pull)."
    : `The server has no key for ${name}.`;
}
