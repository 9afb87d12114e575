import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script and the name by which a server keeps it. Keys, arguments and reply stand at the head of its last file. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

function load(...names: readonly string[]): Script {
  const text = names.map((name) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8')).join('');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

export interface Scripts {
  readonly commit: Script;
  readonly lease: Script;
  readonly assign: Script;
  readonly begin: Script;
  readonly post: Script;
  readonly append: Script;
  readonly digest: Script;
}

/** The scripts that stand beside this module. */
export function loadScripts(): Scripts {
  return {
    commit: load('book', 'commit'),
    lease: load('lease'),
    assign: load('assign'),
    begin: load('begin'),
    post: load('post'),
    append: load('append'),
    digest: load('digest'),
  };
}
