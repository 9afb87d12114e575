/**
 * Milliseconds after which a look at everything reads again what nobody announces and few change, such as where processes are. That is every second
 * look at the usual resync of 30 s, so that each is read about once a minute; a look that names things always reads all of them.
 */
export const UNANNOUNCED_AGE = 45_000;
