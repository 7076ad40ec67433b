// Names of captures: file names and keys of objects, out of texts that others chose.

const POD_CHARS_MAX = 150

/** `fallback-<pod>-<YYYYMMDDTHHMMSS.mmmZ>.tar.gz`. */
export function captureName(podName: string, atMs: number): string {
  const time = new Date(atMs).toISOString().replace(/[-:]/g, '')
  return `fallback-${safePart(podName)}-${time}.tar.gz`
}

/** `<cluster>/<namespace>/<name>`: unique in a store that many nodes share. */
export function captureKey(clusterId: string, namespace: string, name: string): string {
  return `${safePart(clusterId)}/${safePart(namespace)}/${name}`
}

/** What is left can be a file's name: no separators, no dots at the beginning, not too long. */
export function safePart(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_')
  return safe === '' ? '_' : safe.slice(0, POD_CHARS_MAX)
}

const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]*\/[A-Za-z0-9_-][A-Za-z0-9._-]*\/fallback-[A-Za-z0-9._-]+\.tar\.gz$/

/** Anything else in a store is not ours, and never becomes a path. */
export function isCaptureKey(key: string): boolean {
  return KEY.test(key)
}
