import type { Verb } from './verb.ts';

/** All verbs, in the order of the overview. */
export const VERBS: readonly Verb[] = [
  {
    name: 'init',
    summary: 'write a small repository to start from',
    load: async () => (await import('./verbs/init.ts')).initCommand,
  },
  {
    name: 'validate',
    summary: 'check manifests; all errors at once',
    load: async () => (await import('./verbs/validate.ts')).validateCommand,
  },
  {
    name: 'render',
    summary: 'print the manifests with all defaults filled in',
    load: async () => (await import('./verbs/render.ts')).renderCommand,
  },
  {
    name: 'plan',
    summary: 'show what a revision, or a change between two, would do',
    load: async () => (await import('./verbs/plan.ts')).planCommand,
  },
  {
    name: 'apply',
    summary: 'converge once and exit',
    load: async () => (await import('./verbs/apply.ts')).applyCommand,
  },
  {
    name: 'up',
    summary: 'converge and keep it so, in the foreground',
    load: async () => (await import('./verbs/up.ts')).upCommand,
  },
  {
    name: 'controller',
    summary: 'place what Git asks for on the hosts of a fleet, over its store',
    load: async () => (await import('./verbs/controller.ts')).controllerCommand,
  },
  {
    name: 'agent',
    summary: 'keep this machine as its fleet tells it, over its store',
    load: async () => (await import('./verbs/agent.ts')).agentCommand,
  },
  {
    name: 'host',
    summary: 'show what a machine has; give the hosts of a fleet their identity',
    load: async () => (await import('./verbs/host.ts')).hostCommand,
  },
  {
    name: 'status',
    summary: 'show whether everything is as Git says, and healthy',
    load: async () => (await import('./verbs/status.ts')).statusCommand,
  },
  {
    name: 'events',
    summary: 'show what happens, as it happens',
    load: async () => (await import('./verbs/events.ts')).eventsCommand,
  },
  {
    name: 'history',
    summary: 'show the revisions and what each changed',
    load: async () => (await import('./verbs/history.ts')).historyCommand,
  },
  {
    name: 'why',
    summary: 'lead from a live value to its line, commit and author',
    load: async () => (await import('./verbs/why.ts')).whyCommand,
  },
  {
    name: 'explain',
    summary: 'show why a replica is on its host, or why on none',
    load: async () => (await import('./verbs/explain.ts')).explainCommand,
  },
  {
    name: 'capacity',
    summary: 'show what is left, what more would fit, and what a loss would cost',
    load: async () => (await import('./verbs/capacity.ts')).capacityCommand,
  },
  {
    name: 'drain',
    summary: 'say how to empty a host, and show how far that is',
    load: async () => (await import('./verbs/drain.ts')).drainCommand,
  },
  {
    name: 'lab',
    summary: 'real hosts on this machine, to try things on',
    load: async () => (await import('./verbs/lab.ts')).labCommand,
  },
  {
    name: 'completion',
    summary: 'print completion for bash, zsh, fish or powershell',
    load: async () => (await import('./verbs/completion.ts')).completionCommand,
  },
];
