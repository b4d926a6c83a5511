/** The facts that a build is checked for. */
export interface SharedLibrary {
  readonly format: "ELF" | "Mach-O" | "PE";
  readonly arch: "x86_64" | "aarch64";
  /** Names of the symbols that others can find, sorted. */
  readonly exports: readonly string[];
  /** Libraries that are loaded with it, sorted. */
  readonly needs: readonly string[];
  /** Versions of symbols that it needs of them (`GLIBC_2.17`), sorted; ELF alone has these. */
  readonly versions: readonly string[];
  /** Whether it has symbols or sections for debuggers. */
  readonly hasDebugInfo: boolean;
  /** Whether the file itself keeps its code mapped after the last close (`-z nodelete`). */
  readonly staysLoaded: boolean;
  /** Whether it carries a code signature; Mach-O alone. macOS on aarch64 loads no code without. */
  readonly isSigned: boolean;
  /** The oldest system that loads it, such as "13.0"; Mach-O alone. */
  readonly minimumSystem?: string;
}
