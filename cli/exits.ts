/** What the exit statuses of a verb mean, as its help says; verbs that are not here end with 0, or 1 on an error. */
export const EXITS: Readonly<Record<string, string>> = {
  validate: '0 valid, 1 invalid, 2 could not run.',
  plan: '0 nothing to do, 2 changes, 1 error.',
  apply: '0 converged, 1 not converged or error, 3 something is held.',
  status: '0 all Synced and Healthy, 2 OutOfSync or not Healthy, 1 error.',
  capacity: '0 all that is asked for fits, 2 it does not, 1 error.',
  drain: '0 nothing is left on the host, or all of it finds another home; 2 something stays, 1 error.',
  'host enroll': '0 enrolled, 2 enrolled until Redis restarts, which keeps no users, 1 error.',
  'host revoke': '0 revoked, 2 revoked until Redis restarts, which keeps no users, 1 error.',
  explain: '0 it has or would get a host, or a Tuning sets the knob; 2 no host takes it, or none sets it; 1 error.',
};
