import { disk, type Files } from '../../providers/host/files.ts';
import { plainMask } from '../../providers/host/knobs/masks.ts';
import { errno } from './cgroup-tree.ts';

/** Writes as the kernel does: a choice is put into brackets, masks are padded, all ends with a new line. */
export const kernel: Files = {
  ...disk,
  write: (path, text) => {
    const before = disk.read(path);
    if (/\[/.test(before)) {
      const words = before.trim().replace(/[[\]]/g, '').split(' ');
      if (!words.includes(text.trim())) throw errno('EINVAL');
      const end = /\s*$/.exec(before)?.[0] ?? '\n';
      disk.write(path, `${words.map((word) => (word === text.trim() ? `[${word}]` : word)).join(' ')}${end}`);
    } else if (/cpumask$|_cpus$/.test(path)) {
      const width = before.trim().replaceAll(',', '').length;
      // no machine has CPUs beyond its mask
      if (plainMask(text).length > width) throw errno('EINVAL');
      disk.write(
        path,
        `${plainMask(text)
          .padStart(width, '0')
          .replace(/\B(?=(.{8})+$)/g, ',')}\n`,
      );
    } else disk.write(path, `${text.trim()}\n`);
  },
};
