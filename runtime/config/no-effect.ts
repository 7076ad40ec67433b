// Options that a file may already hold although this version does nothing with them: said, never silently ignored.

interface Idle {
  readonly path: readonly string[]
  readonly because: string
  /** Whether the written value would change anything. */
  readonly matters: (value: unknown) => boolean
}

const IDLE: readonly Idle[] = [
  {
    path: ['buffer', 'mode'],
    because: 'frames are buffered in the local journal',
    matters: (value) => value === 'jetstream',
  },
]

/** Is the option at this path, or all that holds it, one of them? */
export function hasNoEffect(path: readonly string[]): boolean {
  return IDLE.some((idle) => idle.path.every((key, n) => path[n] === key))
}

/** The paths among them that the file (as parsed, before defaults) sets. */
export function optionsWithoutEffect(
  file: unknown,
): { readonly path: readonly string[]; readonly message: string }[] {
  return IDLE.flatMap(({ path, because, matters }) => {
    const value = path.reduce<unknown>(
      (at, key) => (at as Record<string, unknown> | null | undefined)?.[key],
      file,
    )
    if (value === undefined || !matters(value)) return []
    return [{ path, message: `${path.join('.')}: has no effect in this version: ${because}` }]
  })
}
