import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Notice } from '../../reconciler/model/notice.ts';
import type { Assignment, Report } from '../../reconciler/model/replica.ts';
import { foreign, PROTOCOL, readReport } from '../../reconciler/model/protocol.ts';
import { fleetRig, versionAt, type FleetRig } from '../support/fleet-rig.ts';
import {
  dump,
  isSo,
  manifestsOf,
  readFiles,
  restore,
  STEPS,
  untilSo,
  writeFiles,
  type Recording,
} from '../support/recording.ts';
import { NO_REDIS, single, type Running } from '../support/redis.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const HOSTS = ['h1', 'h2', 'h3'];
const LAST = STEPS.at(-1) ?? assert.fail();
const PREFIX = 'plumb:{default}:';

/** What a fleet of the version before left, while it was in the middle of a rollout and a drain. */
const recorded = JSON.parse(
  gunzipSync(readFileSync(join(ROOT, `test/golden/protocol/${String(PROTOCOL - 1)}.json.gz`))).toString(),
) as Recording;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where a document has something, and of which type; lists by what is in them. */
function shapeOf(value: Json, path = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item: Json) => shapeOf(item, `${path}[]`));
  if (value === null || typeof value !== 'object') return [`${path} ${typeof value}`];
  return Object.entries(value).flatMap(([key, member]) => shapeOf(member, `${path}/${NAMES.test(path) ? '*' : key}`));
}
/** Objects whose keys are names, or of which a new member makes another container: that is no document's business. */
const NAMES = /\/(fields|env|ulimits|sysctls|labels|knobs|matchLabels|limits|volumes|dns)$/;

/** The same with an unknown member in each object. */
function strange(value: Json, path = '', inner: (value: Json, path: string) => Json = strange): Json {
  if (Array.isArray(value)) return value.map((item: Json) => inner(item, path));
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).map(([key, member]) => [key, inner(member, `${path}/${key}`)] as const);
  const made = Object.fromEntries(members);
  return NAMES.test(path) ? made : { ...made, newerThanYou: { of: ['what', 1] } };
}

const SPEC = /\/(spec|good)$/;
/** The same but in specs: what a newer controller asks for is not what Git says to this one. */
function knownSpecs(value: Json, path = ''): Json {
  return SPEC.test(path) ? value : strange(value, path, knownSpecs);
}

/** What an upgrade sets in place, and nobody notices. */
const NEW_KNOB = /\n *"oomScoreAdj": [0-9]+,?/;

describe('a fleet of the version before', { skip: NO_REDIS }, () => {
  let running: Running;
  let dir: string;
  let rig: FleetRig;
  const lines: string[] = [];
  const admin = (): NonNullable<Running['servers'][0]>['admin'] => running.servers[0]?.admin ?? assert.fail();
  before(async () => {
    running = await single();
  });
  after(() => running.home.close());

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'plumb-protocol-'));
    writeFiles(dir, recorded.files);
    await restore(admin(), recorded.redis);
    lines.length = 0;
    const keep = (_fields: object, text?: string): void => void lines.push(text ?? '');
    rig = fleetRig({ dir, url: running.url, log: { debug: () => undefined, info: keep, warn: keep } });
  });
  afterEach(async () => {
    await rig.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Containers, ports, sandboxes … of all hosts, with their ids; without what the version before did not hold. */
  const things = (): readonly string[] =>
    Object.entries(readFiles(dir))
      .filter(([name]) => name.includes('/simulated/') && !name.includes('/image/'))
      .map(([name, text]) => `${name} ${text.replace(NEW_KNOB, '')}`);
  const journals = (): string =>
    HOSTS.map((host) =>
      readdirSync(join(dir, host, 'journal/up'))
        .map((name) => readFileSync(join(dir, host, 'journal/up', name), 'utf8'))
        .join(''),
    ).join('');
  /** Changes that were tried, but for those that hold nothing else than what the version before did not. */
  const intents = (): number =>
    journals()
      .split('\n')
      .filter((line) => line.includes('"type":"intent"') && !/"fields":\[\{"path":"\/oomScoreAdj"[^{}]*\}\]/.test(line))
      .length;
  const document = async (key: string): Promise<Json> => {
    const found = key.startsWith('assignment:')
      ? await admin().hget(PREFIX + key, 'body')
      : await admin().get(PREFIX + key);
    return JSON.parse(found ?? assert.fail(key)) as Json;
  };
  const recordedDocument = (key: string): Json => {
    const [, , content] = recorded.redis.find(([name]) => name === PREFIX + key) ?? assert.fail(key);
    const body = typeof content === 'string' ? content : content.find(([field]) => field === 'body')?.[1];
    return JSON.parse(body ?? assert.fail(key)) as Json;
  };
  const start = async (): Promise<() => Promise<Status>> => {
    const version = await versionAt(join(ROOT, 'dist'));
    const controller = await rig.controller('c1', version);
    for (const host of HOSTS) await rig.agent(host, version);
    return () => controller.view.status();
  };
  const placements = async (): Promise<unknown> => {
    const all = Object.values(await admin().hgetall(`${PREFIX}placements`)).map(
      (text) => JSON.parse(text) as Record<string, unknown>,
    );
    return all
      .map(
        ({ replica, host, address, epoch }) => `${String(replica)} ${String(host)} ${String(address)} ${String(epoch)}`,
      )
      .sort();
  };

  it('is upgraded in place: nothing is moved, made anew or changed, the rollout waits where it was, and all goes on', async () => {
    const [before, were, intended] = [await placements(), things(), intents()];
    const revision = rig.commit(manifestsOf(LAST));
    const look = await start();
    await untilSo('as it was', look, (now) => isSo(now, revision, true));
    const writtenAnew = async (key: string): Promise<boolean> =>
      JSON.stringify(await document(key)).startsWith(`{"protocol":${String(PROTOCOL)}`);
    for (const key of ['notice', ...HOSTS.flatMap((host) => [`assignment:${host}`, `report:${host}`])])
      for (let tries = 0; !(await writtenAnew(key)); tries += 1) {
        assert.ok(tries < 600, `${key} is still as the version before wrote it`);
        await sleep(100);
      }
    await sleep(6000); // a full look
    assert.deepEqual(await placements(), before);
    assert.deepEqual(things(), were);
    assert.equal(intents(), intended, 'no change was even tried');
    // and the version before finds all that it wrote itself where it wrote it, but for where each field stands: it tells then where its document does
    const isLine = (one: string): boolean => /\/fields\/\*\//.test(one);
    for (const key of ['notice', 'assignment:h2', 'report:h2']) {
      const now = new Set(shapeOf(await document(key)));
      assert.deepEqual(
        shapeOf(recordedDocument(key)).filter((one) => !now.has(one) && !isLine(one)),
        [],
        key,
      );
    }
    const told = await document('assignment:h2');
    assert.match(JSON.stringify(told), /"fields":\{\}/);
    assert.deepEqual(shapeOf(told).filter(isLine), []);
    const changeOf = (notice: Json): unknown => {
      const { app, attempt, revision: since, given, served } = (notice as unknown as Notice).rollouts?.[0] ?? {};
      return { app, attempt, since, given, served };
    };
    assert.deepEqual(changeOf(await document('notice')), changeOf(recordedDocument('notice')), 'no new try');
    const back = rig.commit(manifestsOf({ ...LAST, h3: '{}', image: 1 }, 4));
    const done = await untilSo('done', look, (now) => isSo(now, back));
    assert.equal(done.items.length, 7);
    assert.deepEqual(
      (before as string[]).filter(
        (one) =>
          !done.items
            .map(({ ref, host, address }) => `${ref.slice(8)} ${host} ${String(address)}`)
            .some((home) => one.startsWith(home)),
      ),
      [],
    );
  });

  /** Makes all that the fleet keeps a version newer; generations rise by one. */
  async function renew(unknown: (value: Json) => Json): Promise<void> {
    const newer = (text: string, more = 0): string => {
      const value = unknown(JSON.parse(text) as Json) as { readonly generation?: number };
      const generation = value.generation === undefined ? {} : { generation: value.generation + more };
      return JSON.stringify({ ...value, ...generation, protocol: PROTOCOL + 1 });
    };
    for (const [key, type, content] of await dump(admin()))
      if (/:(report:\w+|notice)$/.test(key) && typeof content === 'string') await admin().set(key, newer(content));
      else if (/:(hosts|placements|assignment:\w+)$/.test(key) && type === 'hash') {
        const assigned = key.includes(':assignment:');
        if (assigned) await admin().hincrby(key, 'generation', 1);
        for (const [field = '', text = ''] of content as readonly (readonly string[])[])
          if (text.startsWith('{')) await admin().hset(key, field, newer(text, assigned ? 1 : 0));
      }
  }

  it('whose controllers are a version newer is understood by agents, whatever members they add', async () => {
    await renew((value) => strange(value));
    const were = things();
    for (const host of HOSTS) await rig.agent(host, await versionAt(join(ROOT, 'dist')));
    const taken = async (): Promise<boolean> => {
      const pairs = HOSTS.map((host) => [document(`assignment:${host}`), document(`report:${host}`)] as const);
      const all = await Promise.all(pairs.map((pair) => Promise.all(pair)));
      return (all as unknown as readonly (readonly [Assignment, Report])[]).every(
        ([told, said]) => told.generation === said.generation && said.protocol === PROTOCOL,
      );
    };
    for (let tries = 0; !(await taken()); tries += 1) {
      assert.ok(tries < 600, 'not taken in');
      await sleep(100);
    }
    await sleep(3000);
    assert.deepEqual(things(), were);
  });

  it('whose agents and last leader are a version newer is understood by controllers', async () => {
    await renew((value) => knownSpecs(value));
    // agents that start here write their own
    for (const host of HOSTS)
      assert.equal(foreign(readReport(host, JSON.stringify(await document(`report:${host}`)))), undefined);
    const [before, were] = [await placements(), things()];
    const revision = rig.commit(manifestsOf(LAST));
    const look = await start();
    await untilSo('as it was', look, (now) => isSo(now, revision, true));
    await sleep(3000);
    assert.deepEqual(await placements(), before);
    assert.deepEqual(things(), were);
    const back = rig.commit(manifestsOf({ ...LAST, image: 1 }, 4));
    assert.equal((await untilSo('done', look, (now) => isSo(now, back))).items.length, 7);
  });

  it('two versions apart is refused, with both versions named, and what runs stays as it is', async () => {
    const were = things();
    const far = { protocol: PROTOCOL + 2 };
    const told = (await document('assignment:h1')) as { generation: number };
    await admin().hset(
      `${PREFIX}assignment:h1`,
      'generation',
      told.generation + 1,
      'body',
      JSON.stringify({ ...told, ...far, generation: told.generation + 1, replicas: [] }),
    );
    const notice = JSON.stringify({ ...((await document('notice')) as object), ...far });
    await admin().set(`${PREFIX}notice`, notice);
    rig.commit(manifestsOf(LAST));
    const version = await versionAt(join(ROOT, 'dist'));
    await rig.agent('h1', version);
    const refused = await rig.controller('c0', version);
    await assert.rejects(refused.ended, /Notice speaks protocol 4, and this plumb 1 to 3: upgrade this one/);
    await refused.stop();
    for (
      let tries = 0;
      !lines.some((line) => /Assignment of h1 speaks protocol 4, and this plumb 1 to 3/.test(line));
      tries += 1
    ) {
      assert.ok(tries < 600, lines.join('\n'));
      await sleep(100);
    }
    assert.deepEqual(things(), were, 'the agent keeps to its last Assignment');

    // one that stood by when somebody newer led gives way once it would lead itself
    await admin().set(`${PREFIX}notice`, JSON.stringify(recordedDocument('notice')));
    const lease = `${PREFIX}lease:controller`;
    await admin().hset(lease, 'holder', 'newer/1', 'fence', 9, 'expires', Date.now() + 600_000);
    const standing = await rig.controller('c1', version);
    await admin().set(`${PREFIX}notice`, notice);
    await admin().hset(lease, 'expires', Date.now());
    await assert.rejects(standing.ended, /Notice speaks protocol 4/);
    assert.equal(await admin().get(`${PREFIX}notice`), notice);
    await standing.stop();

    // and an agent that is too new is left alone by controllers: nothing is placed there
    await admin().set(`${PREFIX}notice`, JSON.stringify(recordedDocument('notice')));
    const report = (await document('report:h2')) as object;
    await admin().set(`${PREFIX}report:h2`, JSON.stringify({ ...report, ...far }));
    await admin().hset(`${PREFIX}assignment:h1`, 'body', JSON.stringify({ ...told, generation: told.generation + 1 }));
    rig.commit(manifestsOf({ ...LAST, api: 5 }));
    const controller = await rig.controller('c1', version);
    const now = await untilSo(
      'placed',
      () => controller.view.status(),
      ({ items, messages }) => items.length === 8 && messages.some((text) => text.includes('h2')),
      90,
    );
    assert.match(now.messages.join('\n'), /h2: the agent of h2 speaks protocol 4, and this plumb 1 to 3/);
    assert.match(now.items.find(({ host }) => host === 'h2')?.reason ?? '', /ProtocolMismatch/);
    const placed = now.items.filter(({ ref }) => /api-[34]$/.test(ref)).map(({ host }) => host);
    assert.deepEqual([...new Set(placed)], ['h1']);
  });
});
