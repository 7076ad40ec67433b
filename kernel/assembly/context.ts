// The context's layout, as byte offsets: the same words as CONTEXT_WORD in kernel/context.ts. Each pair is (address, length).

export const C_SERVICE: usize = 4
export const C_BLOCK_A: usize = 12
export const C_BLOCK_B: usize = 20
export const C_LABELS: usize = 28
export const C_LOG_TYPE: usize = 36
export const C_ID: usize = 44
export const C_LOG_TYPE_NUMBER: usize = 48
export const C_LEVEL: usize = 52
export const C_TRUST: usize = 0
export const C_POD_UID: usize = 64
export const C_NAMESPACE: usize = 72
export const C_CLUSTER_ID: usize = 80
export const C_POD_NAME: usize = 88
export const C_CONTAINER_NAME: usize = 96
export const C_NODE_NAME: usize = 104
export const C_BLOCK_ALL: usize = 112
