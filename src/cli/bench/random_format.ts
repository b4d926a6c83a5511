/** Weight format of a random model whose user names none. */
export const RANDOM_FORMAT = "q4_k";
