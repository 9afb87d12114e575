/**
 * A reporter for node:test that writes one JSON object a line: `{result, name, time, why?, error?}` for each test,
 * `{note}` for what happened outside of all tests, at last `{end: true}`.
 * @typedef {object} TestResult
 * @property {'passed' | 'failed' | 'skipped'} result
 * @property {string} name with the suites around it
 * @property {number} time milliseconds
 * @property {string} [why] of a skipped test
 * @property {string} [error] of a failed one
 */

/** @param {AsyncIterable<{ type: string, data: any }>} source */
export default async function* report(source) {
  /** @type {string[]} */
  const path = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') path.splice(data.nesting, path.length, data.name);
    if (type === 'test:diagnostic' && /^(Warning|Error)/.test(data.message))
      yield `${JSON.stringify({ note: data.message })}\n`;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const name = [...path.slice(0, data.nesting), data.name].join(' › ');
    const result = toResult(type === 'test:pass', name, data);
    if (result) yield `${JSON.stringify(result)}\n`;
  }
  yield '{"end":true}\n';
}

/**
 * @param {boolean} passed
 * @param {string} name
 * @param {any} data
 * @returns {TestResult | undefined} undefined for what is no test of its own: a suite, or the parent of failed subtests
 */
function toResult(passed, name, data) {
  const time = Math.round(data.details?.duration_ms ?? 0);
  const skip = data.skip ?? data.todo;
  if (skip !== undefined && skip !== false)
    return { result: 'skipped', name, time, why: typeof skip === 'string' ? skip : 'skipped' };
  if (passed) return data.details?.type === 'suite' ? undefined : { result: 'passed', name, time };
  const error = data.details?.error;
  if (error?.failureType === 'subtestsFailed') return undefined;
  return { result: 'failed', name, time, error: describe(error) };
}

/** @param {any} error as node:test wraps it */
function describe(error) {
  const inner = error?.cause ?? error;
  const text =
    typeof inner === 'object' && inner !== null ? (inner.stack ?? String(inner.message ?? inner)) : String(inner);
  return text
    .split('\n')
    .filter((/** @type {string} */ line) => !/^ +at .*(node:|\(native\)|node_modules\/)/.test(line))
    .join('\n');
}
