import fc from 'fast-check';

/**
 * Loaded before tests that draw cases at random: a gate tries the same ones each time, so that what fails there is what has changed.
 * `PLUMB_SEED=random` tries others in each run, as the nightly run does, and a number those of a run that failed.
 */
const { PLUMB_SEED: asked = '1' } = process.env;
if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(asked) });
