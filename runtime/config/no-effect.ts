// Options that a file may already hold although nothing comes of them, ever or beside another: said, never silently ignored.

interface Idle {
  readonly path: readonly string[]
  readonly because: string
  /** It never has an effect; else only where `matters` says so. */
  readonly always: boolean
  /** Whether the written value would change anything. `file` is all of it, as parsed. */
  readonly matters: (value: unknown, file: unknown) => boolean
}

/** A fixed rate of the tier wins over all that could be told of info records. */
const FIXED_INFO = ['target_per_second', 'floor', 'window', 'services'].map((option): Idle => {
  return {
    path: ['sampling', 'info', option],
    because: 'sampling.tiers.info is the rate of all info records; leave one of the two out',
    always: false,
    matters: (value, file) => !isEmpty(value) && !isEmpty(at(file, ['sampling', 'tiers', 'info'])),
  }
})
const IDLE: readonly Idle[] = FIXED_INFO

/** Is the option at this path, or all that holds it, one of them? */
export function hasNoEffect(path: readonly string[]): boolean {
  return IDLE.some((idle) => idle.always && idle.path.every((key, n) => path[n] === key))
}

/** The paths among them that the file (as parsed, before defaults) sets. */
export function optionsWithoutEffect(
  file: unknown,
): { readonly path: readonly string[]; readonly message: string }[] {
  return IDLE.flatMap(({ path, because, matters }) => {
    const value = at(file, path)
    if (value === undefined || !matters(value, file)) return []
    return [{ path, message: `${path.join('.')}: has no effect: ${because}` }]
  })
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key],
    value,
  )
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' ? Object.keys(value ?? {}).length === 0 : value === undefined
}
