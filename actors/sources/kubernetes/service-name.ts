// The service a pod belongs to, when no record says so: a label, else the workload's name inside the pod's name.

/** Labels that name the application, in order (the first is Kubernetes' recommended one). */
export const SERVICE_LABELS = ['app.kubernetes.io/name', 'app'] as const

// The alphabet of generated suffixes (k8s.io/apimachinery/pkg/util/rand): no vowels, no 0, 1, 3.
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]'
const SUFFIXES = [
  // Deployment: hash of the replica set, then five characters. The hash is a 32-bit number in that alphabet's digits.
  new RegExp(`^(.+)-${SAFE}{6,10}-${SAFE}{5}$`),
  // CronJob: minutes (or seconds, in old versions) since the epoch, then five characters.
  new RegExp(`^(.+)-\\d{8,10}-${SAFE}{5}$`),
  // StatefulSet and indexed Job: the ordinal, the latter with five characters more.
  new RegExp(`^(.+)-\\d{1,5}(?:-${SAFE}{5})?$`),
  // DaemonSet, Job, ReplicaSet.
  new RegExp(`^(.+)-${SAFE}{5}$`),
]

export interface ServiceNameFacts {
  readonly podName: string
  readonly containerName: string
  readonly nodeName: string
  readonly labels?: Readonly<Record<string, string>>
}

export function serviceNameOf({ podName, containerName, nodeName, labels }: ServiceNameFacts): string {
  for (const label of SERVICE_LABELS) {
    const value = labels?.[label]
    if (value !== undefined && value !== '') return value
  }
  // Static pods end in the name of their node.
  if (podName.endsWith(`-${nodeName}`)) return podName.slice(0, -nodeName.length - 1)
  for (const suffix of SUFFIXES) {
    const workload = suffix.exec(podName)?.[1]
    if (workload !== undefined) return workload
  }
  return containerName
}
