/** Most documents in one file. */
export const MAX_DOCUMENTS = 1000;
/** Deepest nesting of collections. */
export const MAX_DEPTH = 64;
/** Most aliases followed in one document, those inside of what they name included. */
export const MAX_ALIASES = 100;
/** Most nodes that the aliases of one document may stand for. */
export const MAX_ALIASED_NODES = 10_000;
/** Most lexical tokens of one file: a full 1 MiB of ordinary YAML has about 300,000; bounds the time that a hostile file can take. */
export const MAX_TOKENS = 400_000;
/** Most problems told of one file. */
export const MAX_FINDINGS = 50;
