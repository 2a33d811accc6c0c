#include "CBerth.h"
