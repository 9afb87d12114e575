import { NOTHING } from './demand.ts';
import { PlumbError } from './errors.ts';
import type { Notice } from './notice.ts';
import type { Assignment, HostFacts, Report } from './replica.ts';
import { unlikeReport } from './report-shape.ts';
import { isObject } from './shape.ts';

/**
 * The version of what controllers and agents write for each other: Report, Assignment and Notice. It rises by one in a release
 * that changes one of them. Each version understands its neighbours: it leaves unknown fields alone, and what the one before
 * did not write has its default. Documents that name none are of the first.
 */
export const PROTOCOL = 2;

/** What is written for others to read. */
interface Written {
  readonly protocol?: number;
}

/** Why a document cannot be understood, and what to do; undefined when it can. */
function mismatch(what: string, { protocol: theirs = 1 }: Written): string | undefined {
  if (Math.abs(theirs - PROTOCOL) <= 1) return undefined;
  const most = String(PROTOCOL + 1);
  const step = theirs > PROTOCOL ? 'upgrade this one' : 'upgrade the one that wrote it';
  const words = `${what} speaks protocol ${String(theirs)}, and this plumb ${String(Math.max(1, PROTOCOL - 1))} to ${most}`;
  return `${words}: ${step}, one version at a time`;
}

/** The document, if this version understands it. Throws PROTOCOL_MISMATCH, which names both versions. */
function understood<T extends Written>(what: string, document: T): T {
  const why = mismatch(what, document);
  if (why === undefined) return document;
  throw new PlumbError('PROTOCOL_MISMATCH', why, { theirs: document.protocol ?? 1, ours: PROTOCOL });
}

const FOREIGN = 'ProtocolMismatch';

/** What is known of the machine of a host whose agent is not understood. */
export const UNKNOWN_FACTS: HostFacts = {
  hostname: '',
  machineId: '',
  addresses: [],
  capacity: NOTHING,
  kernel: '',
  cgroup: 'v2',
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What a host says of itself, as this version understands it. Of what it does not, and of what is no Report of that host, only the
 * host is believed: nothing is concluded from what it says, and what that host runs stays as it is.
 */
export function readReport(host: string, text: string): Report {
  const told = parsed(text);
  const written: Written & Partial<Report> = isObject(told) ? told : {};
  const where = unlikeReport(told, host);
  const why = where === '/protocol' ? undefined : mismatch(`the agent of ${host}`, written);
  if (why !== undefined) return foreignReport(host, written, why);
  return where === undefined ? (told as Report) : noReport(host, written, where);
}

/** The same of what is no Report although it has the form of one. `why` says what is wrong with it: a place in it, or what nobody could do with it. */
export function noReport(host: string, written: Partial<Report>, why: string): Report {
  const what = `what is stored as the Report of ${host} is none${why === '' ? '' : ` (${why})`}`;
  return foreignReport(host, written, `${what}: see who signs in as its agent`);
}

function foreignReport(host: string, { protocol, generation: said }: Partial<Report>, message: string): Report {
  const generation = said !== undefined && Number.isSafeInteger(said) && said > 0 ? said : -1;
  const told = { status: true, reason: FOREIGN, message, observedGeneration: generation };
  return {
    ...(typeof protocol === 'number' ? { protocol } : {}),
    host,
    generation,
    revision: '',
    at: 0,
    facts: UNKNOWN_FACTS,
    replicas: [],
    observed: [],
    limitations: [],
    conditions: [
      { type: 'Reconciling', ...told },
      { type: 'Stalled', ...told },
    ],
  };
}

/** Why the agent of a host is not understood, if it is not. */
export function foreign({ conditions }: Report): string | undefined {
  return conditions.find(({ reason }) => reason === FOREIGN)?.message;
}

/** An Assignment as this version understands it. Throws PROTOCOL_MISMATCH. */
export function readAssignment(assignment: Assignment): Assignment {
  return understood(`the controller that wrote the Assignment of ${assignment.host}`, assignment);
}

/** A Notice as this version understands it. Throws PROTOCOL_MISMATCH. */
export function readNotice(notice: Notice): Notice {
  const { protocol = 1, rollouts } = understood('the controller that wrote the Notice', notice);
  // the first named versions without what changes in place
  if (protocol > 1 || !rollouts) return notice;
  return { ...notice, rollouts: rollouts.map((record) => ({ ...record, version: '' })) };
}
