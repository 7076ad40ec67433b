// Which fields of a record the host knows better: derived once per origin from what the source states.
import { TRUST } from '../kernel/table.js'
import type { Origin } from '../protocol/messages.js'

/** The kernel's trust bits for an origin: these members of a record are dropped in favour of the host's. */
export function trustOf(origin: Origin): number {
  let trust: number = TRUST.CLUSTER_ID
  if (origin.trusted.namespace !== undefined) trust |= TRUST.NAMESPACE
  if (origin.trusted.pod_uid !== undefined) trust |= TRUST.POD_UID
  if (origin.trusted.pod_name !== undefined) trust |= TRUST.POD_NAME
  if (origin.trusted.container_name !== undefined) trust |= TRUST.CONTAINER_NAME
  if (origin.trusted.node_name !== undefined) trust |= TRUST.NODE_NAME
  if (origin.labels !== undefined || origin.trusted.pod_uid !== undefined) trust |= TRUST.LABELS
  if (origin.format === 'cri') trust |= TRUST.STREAM
  return trust
}
