// What the paths of container logs say: /<namespace>_<pod>_<uid>/<container>/<restart>.log[.<rotated at>][.gz]

export interface PodFolder {
  readonly namespace: string
  readonly podName: string
  readonly podUid: string
}

export interface LogName {
  readonly restart: string
  /** When it was rotated, `YYYYMMDD-HHMMSS`; undefined for the live file. */
  readonly rotatedAt?: string
  readonly gz: boolean
}

// DNS label, DNS subdomain, and a uid or (static pods) a config hash: nothing that could leave its place in a path.
const POD_FOLDER =
  /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)_([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)_([A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?)$/
const CONTAINER = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const LOG = /^(\d{1,10})\.log(?:\.(\d{8}-\d{6})(\.gz)?)?$/

/** Undefined when the name is not one that the kubelet makes. */
export function parsePodFolder(name: string): PodFolder | undefined {
  const match = POD_FOLDER.exec(name)
  if (match === null || name.includes('..')) return undefined
  return { namespace: match[1] as string, podName: match[2] as string, podUid: match[3] as string }
}

export function isContainerName(name: string): boolean {
  return CONTAINER.test(name)
}

/** Undefined for what is no finished log: temporary files of the kubelet (`*.tmp`), anything else. */
export function parseLogName(name: string): LogName | undefined {
  const match = LOG.exec(name)
  if (match === null) return undefined
  const rotatedAt = match[2]
  return {
    restart: match[1] as string,
    gz: match[3] !== undefined,
    ...(rotatedAt === undefined ? {} : { rotatedAt }),
  }
}
