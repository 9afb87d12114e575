/** Where a value that others wrote is not what it should be, as a JSON pointer into it; undefined where all is well. Cheap: it is asked of each Report. */
export type Shape = (value: unknown) => string | undefined;

function leaf(is: (value: unknown) => boolean): Shape {
  return (value) => (is(value) ? undefined : '');
}

/** The latest and, negative, the earliest time that there is, milliseconds since 1970. */
const LAST = 8.64e15;

/** Any text. */
export const text: Shape = leaf((value) => typeof value === 'string');
/** True or false. */
export const flag: Shape = leaf((value) => typeof value === 'boolean');
/** A finite number: `1e999` is JSON, too. */
export const number: Shape = leaf(Number.isFinite);
/** A number by which one can count on. */
export const whole: Shape = leaf(Number.isSafeInteger);
/** One of them above zero. */
export const positive: Shape = leaf((value) => typeof value === 'number' && Number.isSafeInteger(value) && value > 0);
/** So much of something that there is. */
export const amount: Shape = leaf(
  (value) => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER,
);
/** Milliseconds since 1970. */
export const time: Shape = leaf((value) => typeof value === 'number' && Math.abs(value) <= LAST);
/** Whatever it is. */
export const anything: Shape = () => undefined;

/** What may be left out. */
export function maybe(shape: Shape): Shape {
  return (value) => (value === undefined ? undefined : shape(value));
}

/** One of two. */
export function either(one: Shape, other: Shape): Shape {
  return (value) => (one(value) === undefined ? undefined : other(value));
}

/** Whether it has members. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What has members, whichever. */
export const members: Shape = leaf(isObject);

/** Each of so many. */
export function listOf(shape: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return '';
    for (let at = 0; at < value.length; at += 1) {
      const wrong = shape(value[at]);
      if (wrong !== undefined) return `/${String(at)}${wrong}`;
    }
    return undefined;
  };
}

/** By names that others chose, and that are not repeated. */
export function mapOf(shape: Shape): Shape {
  return (value) => {
    if (!isObject(value)) return '';
    for (const key in value) {
      const wrong = shape(value[key]);
      if (wrong !== undefined) return `/*${wrong}`;
    }
    return undefined;
  };
}

/** All members that this version knows; others are left alone, so that it understands what the next version writes. */
export function object<T extends object>(known: Readonly<Record<keyof T, Shape>>): Shape {
  const list: readonly (readonly [string, Shape])[] = Object.entries<Shape>(known);
  return (value) => {
    if (!isObject(value)) return '';
    for (const [key, shape] of list) {
      const wrong = shape(value[key]);
      if (wrong !== undefined) return `/${key}${wrong}`;
    }
    return undefined;
  };
}
