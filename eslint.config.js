import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', 'schemas/types.ts', '.plumbline/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // an interface's promise may be kept without waiting for anything
      '@typescript-eslint/require-await': 'off',
      // style only, and `return say(…)` reads well
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // addresses, names and bitmaps are ASCII here
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // a deadline loop is `for (;;)` or `while (true)`
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
        { selector: 'ExportAllDeclaration', message: 'No barrels: import from where it is.' },
      ],
      eqeqeq: 'error',
      'prefer-const': 'error',
      'no-var': 'error',
    },
  },
  {
    // the pure core: no clock and no random; pass `now` and seeds in
    files: ['reconciler/{model,compile,place,plan}/**/*.ts', 'providers/*/diff.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'The core knows no clock: pass `now` in.' },
        { object: 'Math', property: 'random', message: 'The core knows no random: pass a seed in.' },
        { object: 'performance', property: 'now', message: 'The core knows no clock: pass `now` in.' },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'The core knows no environment.' },
        { name: 'console', message: 'The core knows no logger.' },
        { name: 'fetch', message: 'The core does no I/O.' },
        { name: 'setTimeout', message: 'The core knows no clock.' },
        { name: 'setInterval', message: 'The core knows no clock.' },
      ],
    },
  },
  {
    files: ['**/*.ts'],
    ignores: ['cli/**', 'lab/**', 'test/**', 'bench/**'],
    rules: { 'no-console': ['error'] },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // `it` and `describe` return promises that the runner waits for
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['it', 'describe', 'test', 'suite', 'before', 'after'] },
          ],
        },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
);
