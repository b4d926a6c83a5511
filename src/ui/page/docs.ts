/** What `/docs` needs of the page: the reader's colours. @module */

import { applyPreferences } from "./core/preferences.ts";

applyPreferences();
// Its text is English, whatever the page's language.
document.documentElement.lang = "en";
