// What the page needs of a browser and neither Node nor jsdom has. It runs before each test file. Tests that need a DOM
// begin with a line that asks for jsdom.

import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { vi } from "vitest";

// All files run in one thread (vitest.config.ts); each gets an empty database and modules without a past.
globalThis.indexedDB = new IDBFactory();
vi.resetModules();

// IndexedDB copies what it stores. Node's structuredClone makes an empty object of jsdom's Blob; a Blob never changes,
// so it needs no copy.
const { structuredClone } = globalThis;
globalThis.structuredClone = ((value, options) =>
  value instanceof Blob ? value : structuredClone(value, options)) as typeof structuredClone;
