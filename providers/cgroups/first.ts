import { join } from 'node:path';
import type { Files } from './files.ts';
import { OOM, SCHED } from './knob.ts';
import { openFile, type Budget, type OpenFile } from './open-files.ts';
import { firstIn } from './processes.ts';
import { classIn, type Classes } from './scheduling.ts';

/** What the first process of a container's cgroup says of itself. */
export interface FirstProcess {
  /**
   * By the names of knobs; empty where no process can be seen. `anew`: the cgroup is asked which process is first by opening its list again,
   * as v1 may tell through a descriptor what was so a second ago.
   */
  read(anew: boolean): Readonly<Record<string, string>>;
  close(): void;
}

/** Where processes and their classes are read. */
export interface Told {
  readonly files: Files;
  readonly procRoot: string;
  readonly budget: Budget;
  readonly classes: Classes;
}

/** The files of one process. */
interface Own {
  readonly pid: number;
  readonly adjustment: OpenFile | undefined;
  readonly stat: OpenFile | undefined;
}

/** Reads it through descriptors that stay open, as it is asked about once a minute for each of many containers. */
export function firstProcess({ files, procRoot, budget, classes }: Told, id: string, directory: string): FirstProcess {
  let list: OpenFile | undefined;
  let own: Own | undefined;

  function closeOwn(): void {
    own?.adjustment?.close();
    own?.stat?.close();
    own = undefined;
  }

  function close(): void {
    list?.close();
    list = undefined;
    closeOwn();
  }

  function pidNow(): number | undefined {
    try {
      list ??= openFile(files, join(directory, 'cgroup.procs'), budget);
      return list?.read() === undefined ? undefined : firstIn(files, directory, list.text);
    } catch {
      return undefined; // gone, or a cgroup of threads
    }
  }

  function textOf(file: OpenFile | undefined): string | undefined {
    try {
      return file?.read() === undefined ? undefined : file.text;
    } catch {
      return undefined;
    }
  }

  function tell(): Partial<Record<typeof OOM | typeof SCHED, string>> {
    const pid = pidNow();
    if (own?.pid !== pid) closeOwn();
    if (pid === undefined) return {};
    const open = (name: string): OpenFile | undefined => openFile(files, join(procRoot, String(pid), name), budget);
    own ??= { pid, adjustment: open(OOM), stat: open('stat') };
    const [adjustment, stat] = [textOf(own.adjustment), textOf(own.stat)];
    const sched = stat === undefined ? undefined : classes.of(id, directory, classIn(stat).text);
    return {
      ...(adjustment === undefined ? {} : { [OOM]: adjustment }),
      ...(sched === undefined ? {} : { [SCHED]: sched }),
    };
  }

  return {
    read(anew) {
      if (anew) close();
      const said = tell();
      if (said[OOM] !== undefined && said[SCHED] !== undefined) return said;
      // it has ended, and its number may have been given to another
      closeOwn();
      return tell();
    },
    close,
  };
}
