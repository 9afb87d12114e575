import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseApi, demultiplex, parseEvent, parseImage, parseRows } from '../../../providers/containers/wire.ts';

describe('what Docker answers', () => {
  it('becomes rows, whatever is missing', () => {
    const row = {
      Id: 'abc',
      Names: ['/plumb-web-0'],
      Image: 'busybox',
      ImageID: 'sha256:1',
      Labels: { a: 'b' },
      State: 'exited',
      Status: 'Exited (3) 2 hours ago',
      HostConfig: { NetworkMode: 'container:def' },
    };
    assert.deepEqual(parseRows([row]), [
      {
        id: 'abc',
        name: 'plumb-web-0',
        image: 'busybox',
        imageId: 'sha256:1',
        labels: { a: 'b' },
        state: 'exited',
        status: 'Exited (3) 2 hours ago',
        networkMode: 'container:def',
      },
    ]);
    assert.equal(parseRows([{ Id: 'abc', Names: null, Labels: null }])[0]?.name, '');
  });

  it('never throws for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        parseRows(value);
        parseImage(value);
        parseEvent(JSON.stringify(value));
      }),
    );
  });

  it('is an event only when it says so', () => {
    const line =
      '{"Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":{"exitCode":"137"}},"time":17,"timeNano":17500000000}';
    assert.deepEqual(parseEvent(line), {
      type: 'container',
      action: 'die',
      id: 'abc',
      attributes: { exitCode: '137' },
      time: 17,
      at: 17_500,
    });
    for (const other of ['', '{', '[]', '{"status":"x"}']) assert.equal(parseEvent(other), undefined);
  });

  it('is demultiplexed into what a command printed, also when cut short', () => {
    const frame = (stream: number, text: string): Buffer => {
      const head = Buffer.alloc(8);
      head[0] = stream;
      head.writeUInt32BE(text.length, 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    const whole = Buffer.concat([frame(1, 'out '), frame(2, 'err')]);
    assert.equal(demultiplex(whole), 'out err');
    assert.equal(demultiplex(whole.subarray(0, -2)), 'out e');
    assert.equal(demultiplex(whole.subarray(0, 15)), 'out ');
  });
});

describe('the API version', () => {
  for (const [api, minApi, spoken] of [
    ['1.41', '1.12', '1.41'],
    ['1.44', '1.24', '1.44'],
    ['1.52', '1.44', '1.44'],
    ['1.60', '1.50', '1.50'],
    ['1.9', '1.1', '1.9'],
  ] as const)
    it(`of an engine with ${minApi} to ${api} is ${spoken}`, () => {
      assert.equal(chooseApi({ api, minApi, arch: 'amd64' }), spoken);
    });
});
