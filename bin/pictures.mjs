#!/usr/bin/env node
// Draws docs/img/*.svg from what plumb really prints: a plan of the shop example, and its status once it has converged
// on three simulated hosts over a redis-server of its own. Run it after the build: node bin/pictures.mjs
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, main } from './house/run.mjs';

/** Where the redis-server of the pictures listens. */
const PORT = 16_379;
const WIDTH = 8.4;
const HEIGHT = 19;

/** Colours of the words that a terminal shows in colour. @type {readonly (readonly [RegExp, string])[]} */
const COLORS = [
  [/^\s*\+ .*$/, '#3fb950'],
  [/^\s*(~|-\/\+) .*$/, '#d29922'],
  [/^\s*- .*$/, '#f85149'],
  [/^(wave \d+|held)$/, '#8b949e'],
];

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** @param {string} line */
function painted(line) {
  const color = COLORS.find(([pattern]) => pattern.test(line))?.[1];
  if (color !== undefined) return `<tspan fill="${color}">${escaped(line)}</tspan>`;
  return escaped(line).replace(/\b(Synced|Healthy)\b/g, '<tspan fill="#3fb950">$1</tspan>');
}

/**
 * A terminal window as SVG.
 * @param {string} command
 * @param {string} output
 */
function svg(command, output) {
  const lines = [`$ ${command}`, ...output.trimEnd().split('\n')];
  const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * WIDTH + 32);
  const height = lines.length * HEIGHT + 52;
  const rows = lines.map((line, at) => {
    const y = 48 + at * HEIGHT;
    return `<text x="16" y="${y}" xml:space="preserve">${at === 0 ? `<tspan fill="#8b949e">${escaped(line)}</tspan>` : painted(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(command)}">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<circle cx="20" cy="18" r="5" fill="#f85149"/><circle cx="38" cy="18" r="5" fill="#d29922"/><circle cx="56" cy="18" r="5" fill="#3fb950"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3">
${rows.join('\n')}
</g>
</svg>
`;
}

await main(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-pictures-'));
  const repo = join(dir, 'shop');
  const plumb = join(ROOT, 'bin', 'plumb');
  /** @param {readonly string[]} argv */
  const git = (...argv) =>
    execFileSync('git', ['-C', repo, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...argv], {
      stdio: 'ignore',
    });
  cpSync(join(ROOT, 'examples', 'manifests', 'shop'), repo, { recursive: true });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'Start from the examples');
  const flags = ['--repo', repo, '--state-dir', join(dir, 'look'), '--store', `redis://127.0.0.1:${PORT}`];
  /** @param {readonly string[]} argv */
  const said = (...argv) => {
    try {
      return execFileSync(process.execPath, [plumb, ...argv], { encoding: 'utf8' });
    } catch (error) {
      return /** @type {{ stdout: string }} */ (error).stdout;
    }
  };
  /** @type {import('node:child_process').ChildProcess[]} */
  const parts = [];
  const redis = ['--port', String(PORT), '--bind', '127.0.0.1', '--save', '', '--dir', dir];
  parts.push(spawn('redis-server', redis, { stdio: 'ignore' }));
  /** @param {string} name @param {readonly string[]} argv */
  const part = (name, ...argv) => {
    const own = ['--quiet', '--state-dir', join(dir, name), '--store', `redis://127.0.0.1:${PORT}`];
    parts.push(spawn(process.execPath, [plumb, ...argv, ...own], { stdio: 'ignore' }));
  };
  part('controller', 'controller', '--repo', repo);
  for (const host of ['h1', 'h2', 'h3']) part(host, 'agent', '--simulated', '--host', host);
  try {
    const socket = join(dir, 'controller', 'plumb.sock');
    while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 100));
    const status = said('apply', '--socket', socket);
    execFileSync('sed', ['-i', 's/replicas: 3/replicas: 4/; s/busybox:1/busybox:2/', join(repo, 'apps', 'web.yaml')]);
    git('checkout', '-q', '-b', 'next');
    git('commit', '-q', '-am', 'Next web, and one more');
    git('checkout', '-q', 'main');
    const plan = said('plan', 'main..next', ...flags);
    mkdirSync(join(ROOT, 'docs', 'img'), { recursive: true });
    writeFileSync(join(ROOT, 'docs', 'img', 'status.svg'), svg('plumb status', status));
    writeFileSync(join(ROOT, 'docs', 'img', 'plan.svg'), svg('plumb plan main..next', plan));
  } finally {
    for (const child of parts.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  }
  return 0;
});
