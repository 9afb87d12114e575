import type { BenchOptions, BenchResult } from './bench.ts';
export async function run(_options: BenchOptions): Promise<BenchResult> { return { name: 'quality', measures: [] }; }
