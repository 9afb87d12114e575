import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Change } from '../../../reconciler/model/change.ts';
import type { Outlook } from '../../../reconciler/model/outlook.ts';
import { formatValue, renderMarkdown, renderText, type FleetPlan } from '../../../reconciler/plan/render.ts';

const change = (n: number): Change => ({
  ref: `container/web-${String(n)}`,
  provider: 'containers',
  verb: 'create',
  want: { image: 'plumbline/busybox:1' },
  fields: [],
  disruption: 'none',
  because: 'new',
});
const summary = { add: 10, change: 0, move: 0, replace: 0, destroy: 0 };
const outlook: Outlook = { placed: [], moved: [], released: [], staying: 0, zones: [], networks: [], spread: [] };

/** So many hosts, each with ten new containers, and so many replicas without a place. */
function fleet(hosts: number, unplaceable: number): FleetPlan {
  const waves = [Array.from({ length: 10 }, (_, n) => change(n))];
  return {
    revision: 'r',
    hosts: Array.from({ length: hosts }, (_, at) => ({
      host: `h${String(at)}`,
      plan: { revision: 'r', waves, held: [], summary },
    })),
    unplaceable: Array.from({ length: unplaceable }, (_, n) => ({ replica: `api-${String(n)}`, message: 'no room' })),
    unknown: [],
    staying: [],
    preemptions: [],
    problems: 0,
    rollouts: [],
    knobs: 0,
    lacks: [],
    outlook,
  };
}

describe('the plan of a large change', () => {
  it('shows the first hosts whole and counts the others, unless all are asked for', () => {
    const text = renderText(fleet(6000, 100));
    assert.ok(text.split('\n').length < 400);
    assert.match(text, /\n… and 59720 changes on 5972 more hosts: --all shows them\n/);
    assert.match(text, /\n {2}! api-19 {2}no room\n {2}! … and 80 more replicas without a place\n/);
    assert.match(text, /Plan: 60000 to add/);
    const all = renderText(fleet(6000, 100), undefined, true);
    assert.equal(all.match(/^host h/gm)?.length, 6000);
    assert.doesNotMatch(all, /…/);
  });

  it('counts those that stay where they are apart from those without a place, and says why they do', () => {
    const staying = Array.from({ length: 25 }, (_, n) => ({ replica: `web-${String(n)}`, host: 'h1', why: 'no room' }));
    const text = renderText({ ...fleet(0, 100), staying });
    assert.match(
      text,
      /\n {2}! web-19 {2}stays on h1: no room\n {2}! … and 5 more replicas that stay where they are\n/,
    );
    assert.match(text, /80 more replicas without a place\n/);
    assert.doesNotMatch(renderText({ ...fleet(0, 0), staying }), /Nothing to do/);
    assert.match(renderMarkdown({ ...fleet(0, 0), staying }), /\n- :warning: `web-0` stays on h1: no room\n/);
  });

  it('says how knobs go to many hosts', () => {
    const line = /\nknobs of 200 hosts: one tries them, then they go to 10% of each Zone at a time\n/;
    for (const render of [renderText, renderMarkdown]) {
      assert.match(render({ ...fleet(1, 0), knobs: 200 }), line);
      assert.doesNotMatch(render({ ...fleet(1, 0), knobs: 1 }), /knobs/);
    }
  });

  it('says so when there is nothing to do', () => {
    for (const render of [renderText, renderMarkdown])
      assert.match(render(fleet(0, 0)), /\nNothing to do: everything is as Git says\.\n/);
  });

  it('does not call nothing to do what cannot be seen', () => {
    const unknown = [{ host: 'h1', why: 'nobody answers at docker.sock', unseen: 4 }];
    for (const render of [renderText, renderMarkdown]) {
      const text = render({ ...fleet(0, 0), unknown });
      assert.match(text, /host `?h1`? cannot be seen whole, 4 things of it: nobody answers at docker\.sock\n/);
      assert.doesNotMatch(text, /Nothing to do/);
    }
  });

  it('writes values as manifests do', () => {
    const values = [
      ['/egress', 100_000_000],
      ['/ingress', 1_500_000],
      ['/memory', 2 ** 26],
      ['/quota', 250],
      ['/vlan', 100],
    ] as const;
    assert.deepEqual(
      values.map(([path, value]) => formatValue(path, value)),
      ['100M', '1500k', '64Mi', '250m', '100'],
    );
  });

  it('fits into a comment of a forge, and stays whole in it where it is small', () => {
    const large = renderMarkdown(fleet(6000, 2000));
    assert.ok(large.length < 65_536);
    assert.match(large, /more hosts: `plumb plan --all` shows them/);
    assert.match(large, /1980 more replicas without a place/);
    const small = renderMarkdown(fleet(3, 0));
    assert.equal(small.match(/<details>/g)?.length, 3);
    assert.doesNotMatch(small, /…/);
  });
});
