//! Macros for declarations that many types share.

/// Declares a struct of options. The struct is `#[non_exhaustive]`, and each field has a setter
/// with the field's name.
macro_rules! options {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$field_about:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_about])* pub $field: $type,)*
        }

        impl $name {
            $(
                $(#[$field_about])*
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

/// Declares an enum whose variants have fixed names. `Display` writes the names, and `FromStr`
/// reads them.
macro_rules! named {
    ($(#[$about:meta])* $vis:vis enum $type:ident {
        $($(#[$each:meta])* $variant:ident = $name:expr,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $type { $($(#[$each])* $variant,)+ }

        impl $type {
            /// All variants, in the order of their declaration.
            $vis const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name of the variant. Names are fixed, so scripts may rely on them.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> Result<Self, $crate::UnknownName> {
                let named = |it: &&Self| it.name() == name;
                Self::ALL.iter().find(named).copied().ok_or($crate::UnknownName)
            }
        }
    };
}

/// Error: the text is not the name of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;
