/** The fixed work, as a process of its own that can be kept on one CPU: `node worker.js TIMES` prints what each took, as JSON. */
import { work } from './work.ts';

process.stdout.write(JSON.stringify(work(Number(process.argv[2] ?? 1))));
